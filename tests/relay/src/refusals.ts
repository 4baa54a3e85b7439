/** The human texts of refusals: deployed relays send them as `error {message}`, clients show them as they are. */
export const REFUSALS = {
  unauthenticated: 'Authentication failed',
  noSuchRoom: 'The room does not exist',
  otherLogin: 'You have logged in from another device, so this connection is closed',
  roomEnded: 'The meeting has ended',
  badJoin: 'roomId and userId are required',
} as const;
