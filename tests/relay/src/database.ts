import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { OPTIONS, type Options } from './options.js';

/** What the database knows of a meeting. */
export interface Meeting {
  title: string;
  hostId: string;
}

/** Stands for the database of a deployed relay: every answer takes a moment, in which other events are handled. */
@Injectable()
export class Database {
  private readonly deleted = new Set<string>();
  private readonly hosts = new Map<string, string>();

  constructor(@Inject(OPTIONS) private readonly options: Options) {}

  /** The meeting of a room. A room without a host is `userId`'s from then on. */
  async meeting(roomId: string, userId: string): Promise<Meeting | undefined> {
    await this.query();
    const exists = !this.options.rooms || this.options.rooms.includes(roomId);
    if (!exists || this.deleted.has(roomId)) return undefined;
    if (!this.hosts.has(roomId)) this.hosts.set(roomId, this.options.host ?? userId);
    return { title: `Room ${roomId}`, hostId: this.hosts.get(roomId)! };
  }

  /** The id of the user with this e-mail address: a UUID, always the same. */
  async userIdOf(email: string): Promise<string> {
    await this.query();
    const hex = createHash('sha1').update(email).digest('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), `5${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-');
  }

  /** Looks a participant up, and notes that it has joined: two queries, one after the other. */
  async noteJoin(): Promise<void> {
    await this.query();
    await this.query();
  }

  deleteMeeting(roomId: string): void {
    this.deleted.add(roomId);
  }

  private query(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, this.options.queryMs * (1 + 2 * Math.random())));
  }
}
