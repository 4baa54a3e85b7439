import type { INestApplication } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import type { Server, ServerOptions } from 'socket.io';

/** Shares what is sent to a room with other servers over Redis, as the documentation of NestJS has it. The list of participants
 *  stays each server's own. */
export class RedisIoAdapter extends IoAdapter {
  private constructor(
    app: INestApplication,
    private readonly adapter: ReturnType<typeof createAdapter>,
  ) {
    super(app);
  }

  static async connect(app: INestApplication, url: string): Promise<RedisIoAdapter> {
    const publisher = createClient({ url });
    const subscriber = publisher.duplicate();
    await Promise.all([publisher.connect(), subscriber.connect()]);
    return new RedisIoAdapter(app, createAdapter(publisher, subscriber));
  }

  override createIOServer(port: number, options?: ServerOptions): Server {
    const server: Server = super.createIOServer(port, options);
    server.adapter(this.adapter);
    return server;
  }
}
