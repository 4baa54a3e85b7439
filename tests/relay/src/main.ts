import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Database } from './database.js';
import { MeetingGateway } from './meeting.gateway.js';
import { OPTIONS, optionsFrom } from './options.js';
import { RedisIoAdapter } from './redis.adapter.js';
import { Rooms } from './rooms.js';
import { Stats } from './stats.js';
import { TestController } from './test.controller.js';

const options = optionsFrom(process.env);

@Module({
  controllers: [TestController],
  providers: [MeetingGateway, Database, Rooms, Stats, { provide: OPTIONS, useValue: options }],
})
class RelayModule {}

const app = await NestFactory.create(RelayModule, { logger: ['error', 'warn'] });
if (options.redis !== undefined) app.useWebSocketAdapter(await RedisIoAdapter.connect(app, options.redis));
await app.listen(options.port, options.address);
const { port } = app.getHttpServer().address() as AddressInfo;
console.log(`listening on http://${options.address}:${port}`);
