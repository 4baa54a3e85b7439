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
import { Database } from './database.js';
import { OPTIONS, type BroadcastMode, type Options } from './options.js';
import { REFUSALS } from './refusals.js';
import { Rooms, type Listed, type Room } from './rooms.js';
import { Stats } from './stats.js';

interface JoinRoom {
  roomId: string;
  username: string;
  avatar_url?: string;
  hasVideo?: boolean;
  isMuted?: boolean;
}

interface MediaChunk {
  chunk: Buffer;
  mimeType?: string;
  timestamp?: number;
}

/** What a participant says of itself: deployed relays forward the room and the user that it names, unchecked. */
interface State {
  roomId: string;
  userId: string;
}

/** The "relay" dialect as deployed gateways speak it, with what they get wrong (docs/protocol.md, docs/receivers.md). */
@WebSocketGateway({ cors: { origin: '*' } })
export class MeetingGateway implements OnGatewayInit<Server>, OnGatewayConnection<Socket>, OnGatewayDisconnect<Socket> {
  @WebSocketServer()
  private readonly server!: Server;

  constructor(
    @Inject(OPTIONS) private readonly options: Options,
    @Inject(Database) private readonly database: Database,
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

  /** Between `client.join` and `room-state` the database is asked twice or three times: meanwhile the newcomer
   *  gets chunks, and events of a room whose participants it does not know. */
  @SubscribeMessage('join-room')
  async joinRoom(@ConnectedSocket() client: Socket, @MessageBody() join: JoinRoom): Promise<void> {
    const { roomId, username, avatar_url, hasVideo = false, isMuted = true } = join;
    const isEmail = this.isNew && userIdOf(client).includes('@');
    const userId = isEmail ? await this.database.userIdOf(userIdOf(client)) : userIdOf(client);
    this.throwOutOthers(client, userId);

    if (!this.rooms.room(roomId)) {
      if (!(await this.database.meeting(roomId, userId))) {
        this.stats.happened('refuse', userId, client.id, { roomId });
        client.emit('error', { message: REFUSALS.noSuchRoom });
        return;
      }
      if (!this.rooms.room(roomId)) this.rooms.load(roomId, this.options.broadcastMode);
    }
    const room = this.rooms.room(roomId)!;
    if (this.isNew) room.presenterUserId ??= (await this.database.meeting(roomId, userId))?.hostId;

    const canBroadcast = !this.isNew || this.rooms.mayBroadcast(room, userId);
    const flags = canBroadcast ? { hasVideo, isMuted } : { hasVideo: false, isMuted: true };
    const others = this.listed(room);
    room.participants.set(client.id, { userId, username, ...flags, avatar_url, canBroadcast });
    void client.join(roomId);
    this.stats.happened('join', userId, client.id, { roomId, ...flags });

    const meeting = this.isNew ? undefined : await this.database.meeting(roomId, userId);
    await this.database.noteJoin();
    client.emit('room-state', {
      roomId,
      participants: others,
      title: meeting?.title ?? `Room ${roomId}`,
      hostId: meeting?.hostId ?? room.presenterUserId,
      ...(this.isNew && { canBroadcast, broadcastMode: room.broadcastMode }),
    });
    const newcomer = { userId, username, ...flags, avatar_url, socketId: client.id };
    client.to(roomId).emit('user-joined', this.isNew ? { ...newcomer, canBroadcast } : newcomer);
    this.listChanged(room);
  }

  @SubscribeMessage('media-chunk')
  mediaChunk(@ConnectedSocket() client: Socket, @MessageBody() media: MediaChunk): void {
    const userId = userIdOf(client);
    const roomId = roomOf(client);
    const allowed = !this.isNew || this.rooms.seatOf(client.id)?.participant.canBroadcast;
    if (roomId === undefined || !allowed) {
      this.stats.dropped(userId);
      return;
    }
    const { chunk, mimeType = 'video/webm; codecs="vp8, opus"', timestamp } = media;
    this.stats.forwarded(userId, chunk.length, timestamp, mimeType);
    const forwarded = { socketId: client.id, userId, chunk, mimeType };
    client.to(roomId).emit('media-chunk', this.isNew ? { ...forwarded, timestamp } : forwarded);
  }

  @SubscribeMessage('camera-state-changed')
  cameraStateChanged(@ConnectedSocket() client: Socket, @MessageBody() state: State & { hasVideo: boolean }): void {
    const { userId, hasVideo } = state;
    this.stats.happened('camera-state-changed', userIdOf(client), client.id, { hasVideo });
    const participant = this.rooms.seatOf(client.id)?.participant;
    if (this.isNew) {
      if (!participant?.canBroadcast) return;
      participant.hasVideo = hasVideo;
    }
    client.to(state.roomId).emit('camera-state-changed', { userId, hasVideo });
  }

  @SubscribeMessage('mic-state-changed')
  micStateChanged(@ConnectedSocket() client: Socket, @MessageBody() state: State & { isMuted: boolean }): void {
    const { userId, isMuted } = state;
    this.stats.happened('mic-state-changed', userIdOf(client), client.id, { isMuted });
    const participant = this.rooms.seatOf(client.id)?.participant;
    if (this.isNew && !participant?.canBroadcast) return;
    if (participant) participant.isMuted = isMuted;
    client.to(state.roomId).emit('mic-state-changed', { userId, isMuted });
  }

  @SubscribeMessage('stream-reset')
  streamReset(@ConnectedSocket() client: Socket, @MessageBody() state: State): void {
    this.stats.happened('stream-reset', userIdOf(client), client.id);
    this.forward(client, 'stream-reset', state);
  }

  /** `userId` is whose key frame is wanted. */
  @SubscribeMessage('request-keyframe')
  requestKeyframe(@ConnectedSocket() client: Socket, @MessageBody() request: State): void {
    this.stats.happened('request-keyframe', userIdOf(client), client.id, { of: request.userId });
    if (this.options.generation === 'old') return;
    const room = this.rooms.room(request.roomId);
    const target = room && this.listed(room).find(({ userId }) => userId === request.userId);
    if (target) this.server.to(target.socketId!).emit('request-keyframe', { fromUserId: userIdOf(client) });
  }

  @SubscribeMessage('speaking-start')
  speakingStart(@ConnectedSocket() client: Socket, @MessageBody() state: State): void {
    this.forward(client, 'speaking-start', state);
  }

  @SubscribeMessage('speaking-stop')
  speakingStop(@ConnectedSocket() client: Socket, @MessageBody() state: State): void {
    this.forward(client, 'speaking-stop', state);
  }

  @SubscribeMessage('send-reaction')
  sendReaction(@ConnectedSocket() client: Socket, @MessageBody() reaction: { roomId: string; emoji: string }): void {
    this.server.to(reaction.roomId).emit('reaction-received', { userId: userIdOf(client), emoji: reaction.emoji });
  }

  @SubscribeMessage('chat-message')
  chatMessage(@ConnectedSocket() client: Socket, @MessageBody() chat: { roomId: string; message: string }): void {
    const participant = this.rooms.seatOf(client.id)?.participant;
    // The old relay has lost the line that makes it listen.
    if (!participant || this.options.generation === 'old') return;
    const { userId, username, avatar_url } = participant;
    const timestamp = new Date().toISOString();
    this.server.to(chat.roomId).emit('chat-message', { userId, username, message: chat.message, timestamp, avatar_url });
  }

  @SubscribeMessage('set-broadcast-presenter')
  async setBroadcastPresenter(@ConnectedSocket() client: Socket, @MessageBody() wish: { roomId: string; targetUserId: string }): Promise<void> {
    const room = await this.roomOfHost(client, wish.roomId);
    if (!room) return;
    if (!this.listed(room).some(({ userId }) => userId === wish.targetUserId)) {
      client.emit('error', { message: REFUSALS.noSuchParticipant });
      return;
    }
    this.setPresenter(room, wish.targetUserId);
  }

  @SubscribeMessage('set-broadcast-mode')
  async setBroadcastMode(@ConnectedSocket() client: Socket, @MessageBody() wish: { roomId: string; mode: BroadcastMode }): Promise<void> {
    const room = await this.roomOfHost(client, wish.roomId);
    if (room) this.setMode(room, wish.mode);
  }

  /** The socket stays in the room of Socket.IO, and gets its chunks, until it disconnects. The returned value is
   *  the ack, if the client asked for one. */
  @SubscribeMessage('leave-room')
  leaveRoom(@ConnectedSocket() client: Socket): { left: true } {
    this.stats.happened('leave-room', userIdOf(client), client.id);
    this.leave(client);
    return { left: true };
  }

  /** Gives the presenter's seat away; also to somebody who is not there, as only a test can. */
  setPresenter(room: Room, presenterUserId: string): void {
    this.rooms.setPresenter(room, presenterUserId);
    const change = { presenterUserId, broadcastMode: room.broadcastMode, participants: this.listed(room) };
    this.server.to(room.id).emit('broadcast-presenter-changed', change);
    this.listChanged(room);
  }

  /** Lets everyone broadcast, or only the presenter. */
  setMode(room: Room, mode: BroadcastMode): void {
    this.rooms.setMode(room, mode, this.options.host);
    const presenterUserId = mode === 'single' ? room.presenterUserId : undefined;
    this.server.to(room.id).emit('broadcast-mode-changed', { broadcastMode: mode, presenterUserId, participants: this.listed(room) });
    this.listChanged(room);
  }

  /** Ends the meeting and deletes its room, as its host can by HTTP. */
  async deleteRoom(room: Room): Promise<void> {
    this.server.to(room.id).emit('error', { message: REFUSALS.roomEnded });
    this.server.to(room.id).emit('room-ended');
    this.rooms.unload(room.id);
    this.database.deleteMeeting(room.id);
    for (const socket of await this.server.in(room.id).fetchSockets()) {
      socket.leave(room.id);
      socket.disconnect(true);
    }
  }

  /** Sends a refusal to a user (test control). */
  refuse(userId: string, message: string): void {
    for (const socketId of this.rooms.socketsOf(userId)) this.server.to(socketId).emit('error', { message });
  }

  /** Tells a user why, then closes its connection (test control). */
  kick(userId: string, message: string): void {
    this.refuse(userId, message);
    for (const socketId of this.rooms.socketsOf(userId)) {
      this.stats.happened('kick', userId, socketId, { message });
      this.server.in(socketId).disconnectSockets(true);
    }
  }

  /** One connection per user. The newer relay closes the older one without a word. */
  private throwOutOthers(client: Socket, userId: string): void {
    for (const socketId of this.rooms.socketsOf(userId)) {
      if (socketId === client.id) continue;
      const older = this.server.sockets.sockets.get(socketId);
      if (!older) continue;
      this.stats.happened('kick', userId, socketId);
      this.leave(older, 'silently');
      if (!this.isNew) older.emit('error', { message: REFUSALS.otherLogin });
      older.disconnect(true);
    }
  }

  private leave(client: Socket, how: 'silently' | 'openly' = 'openly'): void {
    const seat = this.rooms.leave(client.id);
    if (!seat) return;
    const { room, participant } = seat;
    const stillThere = this.listed(room).some(({ userId }) => userId === participant.userId);
    if (how === 'openly' && !stillThere) this.server.to(room.id).emit('user-left', { userId: participant.userId });
    this.listChanged(room);
  }

  private async roomOfHost(client: Socket, roomId: string): Promise<Room | undefined> {
    const meeting = await this.database.meeting(roomId, userIdOf(client));
    if (meeting?.hostId === userIdOf(client)) return this.rooms.room(roomId);
    client.emit('error', { message: REFUSALS.notTheHost });
    return undefined;
  }

  /** Forwards an event that the old relay does not know, and the new one only from who may broadcast. */
  private forward(client: Socket, event: string, state: State): void {
    if (this.options.generation === 'old') return;
    if (this.isNew && !this.rooms.seatOf(client.id)?.participant.canBroadcast) return;
    client.to(state.roomId).emit(event, { userId: state.userId });
  }

  private listChanged(room: Room): void {
    if (!this.isNew || room.participants.size === 0) return;
    this.server.to(room.id).emit('participant-list-changed', {
      participants: this.listed(room),
      presenterUserId: room.presenterUserId,
      broadcastMode: room.broadcastMode,
    });
  }

  private listed(room: Room): Partial<Listed>[] {
    const listed = this.rooms.listed(room);
    if (this.isNew) return listed;
    return listed.map(({ canBroadcast: _, ...rest }) => rest);
  }

  private get isNew(): boolean {
    return this.options.generation === 'new';
  }
}

/** Who a socket says that it is. Where lists name a user by the id that belongs to an e-mail address, chunks still
 *  come under the address. */
function userIdOf(client: Socket): string {
  return String(client.data.userId);
}

/** The room of Socket.IO that a socket is in, besides its own. */
function roomOf(client: Socket): string | undefined {
  return [...client.rooms].find((room) => room !== client.id);
}
