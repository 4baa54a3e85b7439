import { Inject } from '@nestjs/common';
import {
  ConnectedSocket,
  MessageBody,
  OnGatewayConnection,
  OnGatewayDisconnect,
  OnGatewayInit,
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer,
} from '@nestjs/websockets';
import type { Server, Socket } from 'socket.io';
import { OPTIONS, type Options } from './options.js';
import { REFUSALS } from './refusals.js';
import { Rooms, type Participant, type Room } from './rooms.js';
import { Stats } from './stats.js';

interface JoinRoom {
  roomId?: string;
  username?: string;
  avatar_url?: string;
  hasVideo?: boolean;
  isMuted?: boolean;
}

interface MediaChunk {
  chunk: Buffer;
  mimeType: string;
  timestamp?: number;
}

/** The "relay" dialect of protocol.md, section 2, as deployed gateways speak it. */
@WebSocketGateway({ cors: { origin: '*' } })
export class MeetingGateway implements OnGatewayInit<Server>, OnGatewayConnection<Socket>, OnGatewayDisconnect<Socket> {
  @WebSocketServer()
  private readonly server!: Server;

  constructor(
    @Inject(OPTIONS) private readonly options: Options,
    @Inject(Rooms) private readonly rooms: Rooms,
    @Inject(Stats) private readonly stats: Stats,
  ) {}

  afterInit(server: Server): void {
    server.use((socket, next) => {
      const { token, userId } = socket.handshake.auth as { token?: unknown; userId?: unknown };
      if (this.options.token !== undefined && token !== this.options.token) {
        next(new Error(REFUSALS.unauthenticated));
        return;
      }
      // Deployed tokens are user ids or JWTs; without an id beside it, the token is the id.
      socket.data.userId = userId ?? token ?? socket.id;
      next();
    });
  }

  handleConnection(client: Socket): void {
    this.stats.happened('connect', userIdOf(client), client.id);
  }

  handleDisconnect(client: Socket): void {
    this.stats.happened('disconnect', userIdOf(client), client.id);
    this.leave(client);
  }

  @SubscribeMessage('join-room')
  joinRoom(@ConnectedSocket() client: Socket, @MessageBody() join: JoinRoom): void {
    const userId = userIdOf(client);
    const roomId = join?.roomId;
    if (typeof roomId !== 'string' || roomId === '') {
      client.emit('error', { message: REFUSALS.badJoin });
      return;
    }
    if (this.options.rooms && !this.options.rooms.includes(roomId)) {
      client.emit('error', { message: REFUSALS.noSuchRoom });
      return;
    }
    const earlier = this.rooms.seatOfUser(userId);
    if (earlier && earlier.participant.socketId !== client.id) this.kick(earlier.participant, REFUSALS.otherLogin);
    this.leave(client);

    const { room, participant } = this.rooms.join(roomId, client.id, {
      userId,
      username: join.username ?? userId,
      avatar_url: join.avatar_url,
      hasVideo: join.hasVideo ?? false,
      isMuted: join.isMuted ?? true,
    });
    void client.join(roomId);
    this.stats.happened('join', userId, client.id, { roomId, hasVideo: participant.hasVideo, isMuted: participant.isMuted });
    client.emit('room-state', {
      participants: this.shown(room),
      title: room.title,
      hostId: room.hostId,
      ...(this.options.generation === 'new' && {
        canBroadcast: participant.canBroadcast,
        broadcastMode: room.broadcastMode,
      }),
    });
    // The newcomer hears of itself too: participants must ignore their own id.
    this.server.to(roomId).emit('user-joined', this.shownParticipant(participant));
  }

  @SubscribeMessage('media-chunk')
  mediaChunk(@ConnectedSocket() client: Socket, @MessageBody() media: MediaChunk): void {
    const seat = this.rooms.seatOf(client.id);
    if (!seat || !seat.participant.canBroadcast) {
      this.stats.dropped(userIdOf(client));
      return;
    }
    this.stats.forwarded(seat.participant.userId, media.chunk.length, media.timestamp, media.mimeType);
    client.to(seat.room.id).emit('media-chunk', {
      socketId: client.id,
      userId: seat.participant.userId,
      chunk: media.chunk,
      mimeType: media.mimeType,
      timestamp: media.timestamp,
    });
  }

  @SubscribeMessage('camera-state-changed')
  cameraStateChanged(@ConnectedSocket() client: Socket, @MessageBody() state: { hasVideo: boolean }): void {
    const seat = this.rooms.seatOf(client.id);
    if (!seat) return;
    const { userId } = seat.participant;
    this.stats.happened('camera-state-changed', userId, client.id, { hasVideo: state.hasVideo });
    if (!seat.participant.canBroadcast) return;
    seat.participant.hasVideo = state.hasVideo;
    client.to(seat.room.id).emit('camera-state-changed', { userId, hasVideo: state.hasVideo });
  }

  @SubscribeMessage('mic-state-changed')
  micStateChanged(@ConnectedSocket() client: Socket, @MessageBody() state: { isMuted: boolean }): void {
    const seat = this.rooms.seatOf(client.id);
    if (!seat) return;
    const { userId } = seat.participant;
    this.stats.happened('mic-state-changed', userId, client.id, { isMuted: state.isMuted });
    if (!seat.participant.canBroadcast) return;
    seat.participant.isMuted = state.isMuted;
    client.to(seat.room.id).emit('mic-state-changed', { userId, isMuted: state.isMuted });
  }

  @SubscribeMessage('stream-reset')
  streamReset(@ConnectedSocket() client: Socket): void {
    const seat = this.rooms.seatOf(client.id);
    if (!seat) return;
    const { userId } = seat.participant;
    this.stats.happened('stream-reset', userId, client.id);
    if (this.options.generation === 'old') return;
    client.to(seat.room.id).emit('stream-reset', { roomId: seat.room.id, userId });
  }

  @SubscribeMessage('request-keyframe')
  requestKeyframe(@ConnectedSocket() client: Socket, @MessageBody() request: { targetUserId?: string }): void {
    const seat = this.rooms.seatOf(client.id);
    if (!seat) return;
    const target = request?.targetUserId === undefined ? undefined : seat.room.participants.get(request.targetUserId);
    client.to(target?.socketId ?? seat.room.id).emit('request-keyframe', { fromUserId: seat.participant.userId });
  }

  @SubscribeMessage('speaking-start')
  speakingStart(@ConnectedSocket() client: Socket): void {
    this.forward(client, 'speaking-start', {});
  }

  @SubscribeMessage('speaking-stop')
  speakingStop(@ConnectedSocket() client: Socket): void {
    this.forward(client, 'speaking-stop', {});
  }

  @SubscribeMessage('chat-message')
  chatMessage(@ConnectedSocket() client: Socket, @MessageBody() chat: { message: string }): void {
    this.forward(client, 'chat-message', { message: chat.message });
  }

  /** The returned value is the ack, if the client asked for one. */
  @SubscribeMessage('leave-room')
  leaveRoom(@ConnectedSocket() client: Socket): { left: true } {
    this.stats.happened('leave-room', userIdOf(client), client.id);
    this.leave(client);
    return { left: true };
  }

  /** Gives the presenter's seat away (test control). */
  setPresenter(room: Room, presenterUserId: string | null): void {
    this.rooms.setPresenter(room, presenterUserId);
    const change = { participants: this.shown(room), presenterUserId, broadcastMode: room.broadcastMode };
    const everyone = this.server.to(room.id);
    everyone.emit('broadcast-mode-changed', change);
    everyone.emit('broadcast-presenter-changed', change);
    everyone.emit('participant-list-changed', change);
  }

  /** Ends the meeting for everyone in the room (test control). */
  endRoom(room: Room): void {
    this.server.to(room.id).emit('room-ended');
  }

  /** Sends a refusal to one participant (test control). */
  refuse(participant: Participant, message: string): void {
    this.server.to(participant.socketId).emit('error', { message });
  }

  /** Tells a participant why, then closes its connection. */
  kick(participant: Participant, message: string): void {
    this.stats.happened('kick', participant.userId, participant.socketId, { message });
    this.refuse(participant, message);
    this.server.in(participant.socketId).disconnectSockets(true);
  }

  private leave(client: Socket): void {
    const seat = this.rooms.leave(client.id);
    if (!seat) return;
    void client.leave(seat.room.id);
    // Kicked by another login of the same user: the user is still in the room.
    if (seat.room.participants.has(seat.participant.userId)) return;
    this.server.to(seat.room.id).emit('user-left', { userId: seat.participant.userId });
  }

  private forward(client: Socket, event: string, payload: object): void {
    const seat = this.rooms.seatOf(client.id);
    if (!seat) return;
    client.to(seat.room.id).emit(event, { roomId: seat.room.id, userId: seat.participant.userId, ...payload });
  }

  private shown(room: Room): Partial<Participant>[] {
    return [...room.participants.values()].map((participant) => this.shownParticipant(participant));
  }

  private shownParticipant(participant: Participant): Partial<Participant> {
    if (this.options.generation === 'new') return participant;
    const { canBroadcast: _, ...rest } = participant;
    return rest;
  }
}

function userIdOf(client: Socket): string {
  return String(client.data.userId);
}
