import type { BroadcastMode } from './options.js';

/** Who is in which room, and who may broadcast. Knows no socket: values in, values out. */

export interface Participant {
  userId: string;
  username: string;
  avatar_url?: string;
  hasVideo: boolean;
  isMuted: boolean;
  canBroadcast: boolean;
}

/** A participant as others are told of it. */
export type Listed = Participant & { socketId: string };

export interface Room {
  id: string;
  broadcastMode: BroadcastMode;
  presenterUserId: string | undefined;
  /** By socket id. */
  participants: Map<string, Participant>;
}

/** A seat: a participant and the room that it sits in. */
export interface Seat {
  room: Room;
  participant: Participant;
}

export class Rooms {
  private readonly rooms = new Map<string, Room>();

  /** A room, if it is loaded: from the first that asks for it to the last that leaves it. */
  room(roomId: string): Room | undefined {
    return this.rooms.get(roomId);
  }

  load(roomId: string, broadcastMode: BroadcastMode): Room {
    const room: Room = { id: roomId, broadcastMode, presenterUserId: undefined, participants: new Map() };
    this.rooms.set(roomId, room);
    return room;
  }

  unload(roomId: string): void {
    this.rooms.delete(roomId);
  }

  mayBroadcast(room: Room, userId: string): boolean {
    return room.broadcastMode === 'all' || room.presenterUserId === userId;
  }

  /** The seat of a socket, if it has joined. */
  seatOf(socketId: string): Seat | undefined {
    for (const room of this.rooms.values()) {
      const participant = room.participants.get(socketId);
      if (participant) return { room, participant };
    }
    return undefined;
  }

  /** The sockets of a user, in any room. */
  socketsOf(userId: string): string[] {
    return [...this.rooms.values()].flatMap(({ participants }) =>
      [...participants].filter(([, participant]) => participant.userId === userId).map(([socketId]) => socketId),
    );
  }

  /** Frees the seat of a socket; a room ends with its last participant. */
  leave(socketId: string): Seat | undefined {
    const seat = this.seatOf(socketId);
    if (!seat) return undefined;
    seat.room.participants.delete(socketId);
    if (seat.room.participants.size === 0) this.rooms.delete(seat.room.id);
    return seat;
  }

  listed(room: Room): Listed[] {
    return [...room.participants].map(([socketId, participant]) => ({ ...participant, socketId }));
  }

  /** Gives the presenter's seat to one user. */
  setPresenter(room: Room, userId: string | undefined): void {
    room.broadcastMode = 'single';
    room.presenterUserId = userId;
    this.applySeatRule(room);
  }

  setMode(room: Room, mode: BroadcastMode, hostId: string | undefined): void {
    room.broadcastMode = mode;
    if (mode === 'single') room.presenterUserId ??= hostId;
    this.applySeatRule(room);
  }

  private applySeatRule(room: Room): void {
    for (const participant of room.participants.values()) {
      participant.canBroadcast = this.mayBroadcast(room, participant.userId);
      if (!participant.canBroadcast) {
        participant.hasVideo = false;
        participant.isMuted = true;
      }
    }
  }
}
