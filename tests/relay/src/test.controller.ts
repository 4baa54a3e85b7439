import { Controller, Get, Inject, NotFoundException, Post, Query } from '@nestjs/common';
import { MeetingGateway } from './meeting.gateway.js';
import { Rooms, type Room, type Seat } from './rooms.js';
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
    this.gateway.kick(this.seat(userId).participant, message);
  }

  /** Sends an `error` and leaves the connection open. */
  @Post('error')
  error(@Query('userId') userId: string, @Query('message') message: string): void {
    this.gateway.refuse(this.seat(userId).participant, message);
  }

  /** Gives the presenter's seat to `userId` (who need not be there); without one, everyone may broadcast. */
  @Post('presenter')
  presenter(@Query('roomId') roomId: string, @Query('userId') userId?: string): void {
    this.gateway.setPresenter(this.room(roomId), userId ? userId : null);
  }

  /** Ends the meeting. */
  @Post('end-room')
  endRoom(@Query('roomId') roomId: string): void {
    this.gateway.endRoom(this.room(roomId));
  }

  private room(roomId: string): Room {
    const room = this.rooms.room(roomId);
    if (!room) throw new NotFoundException(`nobody is in room ${roomId}`);
    return room;
  }

  private seat(userId: string): Seat {
    const seat = this.rooms.seatOfUser(userId);
    if (!seat) throw new NotFoundException(`${userId} is in no room`);
    return seat;
  }
}
