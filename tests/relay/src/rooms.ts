/** Who is in which room, and who may broadcast. Knows no socket: values in, values out. */

export interface Participant {
  userId: string;
  username: string;
  avatar_url?: string;
  hasVideo: boolean;
  isMuted: boolean;
  canBroadcast: boolean;
  socketId: string;
}

export type BroadcastMode = 'single' | 'all';

export interface Room {
  id: string;
  title: string;
  hostId: string;
  broadcastMode: BroadcastMode;
  presenterUserId: string | null;
  participants: Map<string, Participant>;
}

/** A seat: a participant and the room that it sits in. */
export interface Seat {
  room: Room;
  participant: Participant;
}

/** What a participant says about itself in `join-room`. */
export type Introduction = Pick<Participant, 'userId' | 'username' | 'avatar_url' | 'hasVideo' | 'isMuted'>;

export class Rooms {
  private readonly rooms = new Map<string, Room>();
  private readonly seats = new Map<string, Seat>();

  /** Seats a socket in a room, which comes into being with its first participant, its host. */
  join(roomId: string, socketId: string, introduction: Introduction): Seat {
    let room = this.rooms.get(roomId);
    if (!room) {
      room = {
        id: roomId,
        title: `Room ${roomId}`,
        hostId: introduction.userId,
        broadcastMode: 'all',
        presenterUserId: null,
        participants: new Map(),
      };
      this.rooms.set(roomId, room);
    }
    const participant: Participant = { ...introduction, socketId, canBroadcast: true };
    room.participants.set(participant.userId, participant);
    this.applySeatRule(room);
    const seat = { room, participant };
    this.seats.set(socketId, seat);
    return seat;
  }

  /** The seat of a socket, if it has joined. */
  seatOf(socketId: string): Seat | undefined {
    return this.seats.get(socketId);
  }

  /** The seat of a user in any room. */
  seatOfUser(userId: string): Seat | undefined {
    for (const room of this.rooms.values()) {
      const participant = room.participants.get(userId);
      if (participant) return { room, participant };
    }
    return undefined;
  }

  /** A room, if anyone is in it. */
  room(roomId: string): Room | undefined {
    return this.rooms.get(roomId);
  }

  /** Frees the seat of a socket; a room ends with its last participant. */
  leave(socketId: string): Seat | undefined {
    const seat = this.seats.get(socketId);
    if (!seat) return undefined;
    this.seats.delete(socketId);
    const { room, participant } = seat;
    // A second login of the same user has already taken the place in the room.
    if (room.participants.get(participant.userId) === participant) room.participants.delete(participant.userId);
    if (room.participants.size === 0) this.rooms.delete(room.id);
    return seat;
  }

  /** Gives the presenter's seat to one user, or with `null` lets everyone broadcast. */
  setPresenter(room: Room, presenterUserId: string | null): void {
    room.presenterUserId = presenterUserId;
    room.broadcastMode = presenterUserId === null ? 'all' : 'single';
    this.applySeatRule(room);
  }

  private applySeatRule(room: Room): void {
    for (const participant of room.participants.values()) {
      participant.canBroadcast = room.broadcastMode === 'all' || participant.userId === room.presenterUserId;
      if (!participant.canBroadcast) {
        participant.hasVideo = false;
        participant.isMuted = true;
      }
    }
  }
}
