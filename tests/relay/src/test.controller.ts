import { Controller, Get, Inject, NotFoundException, Post, Query } from '@nestjs/common';
import { MeetingGateway } from './meeting.gateway.js';
import { Rooms, type Room } from './rooms.js';
import { Stats, type Arrival, type Happening, type SenderStats } from './stats.js';

/** What tests see of the relay and do to it. A deployed relay has no such thing. */
@Controller('test')
export class TestController {
  constructor(
    @Inject(MeetingGateway) private readonly gateway: MeetingGateway,
    @Inject(Rooms) private readonly rooms: Rooms,
    @Inject(Stats) private readonly stats: Stats,
  ) {}

  /** Every sender's counts and everything that happened. */
  @Get('stats')
  read(): { senders: SenderStats[]; happenings: Happening[] } {
    return { senders: this.stats.all(), happenings: this.stats.happenings };
  }

  /** When each chunk of a user arrived. */
  @Get('arrivals')
  arrivals(@Query('userId') userId: string): Arrival[] {
    return this.stats.arrivalsOf(userId);
  }

  /** Sends an `error` and closes the connection, as another login of the same user does. */
  @Post('kick')
  kick(@Query('userId') userId: string, @Query('message') message = 'You have been removed from the room'): void {
    this.gateway.kick(this.present(userId), message);
  }

  /** Sends an `error` and leaves the connection open. */
  @Post('error')
  error(@Query('userId') userId: string, @Query('message') message: string): void {
    this.gateway.refuse(this.present(userId), message);
  }

  /** Gives the presenter's seat to `userId` (who need not be there); without one, everyone may broadcast. */
  @Post('presenter')
  presenter(@Query('roomId') roomId: string, @Query('userId') userId?: string): void {
    if (userId) this.gateway.setPresenter(this.room(roomId), userId);
    else this.gateway.setMode(this.room(roomId), 'all');
  }

  /** Ends the meeting: everybody is told and disconnected, and the room exists no longer. */
  @Post('delete-room')
  deleteRoom(@Query('roomId') roomId: string): Promise<void> {
    return this.gateway.deleteRoom(this.room(roomId));
  }

  private room(roomId: string): Room {
    const room = this.rooms.room(roomId);
    if (!room) throw new NotFoundException(`nobody is in room ${roomId}`);
    return room;
  }

  private present(userId: string): string {
    if (this.rooms.socketsOf(userId).length === 0) throw new NotFoundException(`${userId} is in no room`);
    return userId;
  }
}
