/** The human texts of refusals, as deployed relays send them in `error {message}`. Clients show them as they are. */
export const REFUSALS = {
  unauthenticated: 'Authentication failed',
  noSuchRoom: '존재하지 않는 회의입니다. 회의 ID를 확인해주세요.',
  otherLogin: '새로운 접속이 감지되어 연결이 종료되었습니다.',
  roomEnded: 'The host has ended the meeting.',
  notTheHost: 'Only the host can change the speaker.',
  noSuchParticipant: 'Selected participant is not in this room.',
} as const;
