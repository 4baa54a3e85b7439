// Every word of the page, in every language it speaks: one table.

/** By key: English, Korean. `{name}` stands for a value. */
const TABLE = {
  // The room
  'people': ['{onAir} on air · {watching} watching', '방송 {onAir}명 · 시청 {watching}명'],
  'participants': ['Participants', '참가자'],
  'joining.title': ['Joining {room} …', '{room}에 들어가는 중…'],
  'empty.title': ['Nobody is on air yet', '아직 방송 중인 사람이 없습니다'],
  'empty.text': [
    'Every camera that joins this room appears here by itself.',
    '이 방에 들어온 카메라는 자동으로 여기에 나타납니다.',
  ],
  'empty.camera': ['Bring in a camera: put this into', '카메라를 연결하려면 다음을 이 파일에 넣으세요:'],
  'empty.run': ['then start it', '그리고 실행하세요'],
  'empty.demo': [
    'No camera at hand? {command} shows a moving test picture on a page of its own.',
    '카메라가 없나요? {command} 명령은 움직이는 시험 화면을 별도 페이지에 보여 줍니다.',
  ],

  // Controls
  'sound.start': ['Unmute', '소리 켜기'],
  'sound.off': ['Turn sound off', '소리 끄기'],
  'sound.on': ['Turn sound on', '소리 켜기'],
  'sound.play': ['Click to play', '재생하기'],
  'statistics': ['Statistics', '통계'],
  'chat': ['Chat', '채팅'],
  'chat.unread': ['Chat, {count} new', '채팅, 새 메시지 {count}개'],
  'close': ['Close', '닫기'],

  // A tile
  'tile.waiting': ['Waiting for the picture', '영상을 기다리는 중'],
  'tile.camera-off': ['camera off', '카메라 꺼짐'],
  'tile.muted': ['microphone muted', '마이크 꺼짐'],
  'tile.speaking': ['speaking', '말하는 중'],
  'tile.unplayable': ['This browser cannot play this picture', '이 브라우저는 이 영상을 재생할 수 없습니다'],
  'tile.unplayable.text': [
    'It is sent as {type}. Try a current Chrome, Edge or Firefox.',
    '{type} 형식입니다. 최신 Chrome, Edge 또는 Firefox를 사용해 보세요.',
  ],
  'tile.unanswered': ['{name} does not answer', '{name}에서 응답이 없습니다'],
  'tile.unanswered.text': [
    'It may already be sending to as many viewers as it can. The page keeps trying.',
    '이미 보낼 수 있는 만큼 많은 시청자에게 보내고 있을 수 있습니다. 계속 다시 요청합니다.',
  ],
  'tile.unreachable': ['No connection to {name}', '{name}에 연결되지 않습니다'],
  'tile.unreachable.text': [
    'Picture and sound come straight from it over UDP; a firewall or another network may be in between. The page keeps trying.',
    '영상과 소리는 UDP로 직접 전달됩니다. 방화벽이나 다른 네트워크에 막혔을 수 있습니다. 계속 다시 시도합니다.',
  ],
  'tile.pin': ['Pin {name}', '{name} 고정'],
  'tile.unpin': ['Unpin {name}', '{name} 고정 해제'],
  'tile.fullscreen': ['{name} in full screen', '{name} 전체 화면'],
  'tile.fullscreen.leave': ['Leave full screen', '전체 화면 끝내기'],
  'tile.mute': ['Silence {name} for you', '나에게만 {name} 소리 끄기'],
  'tile.unmute': ['Hear {name} again', '{name} 소리 다시 듣기'],
  'tile.volume': ['Volume of {name}', '{name} 음량'],

  // Statistics
  'stats.picture': ['picture', '영상'],
  'stats.picture.value': ['{width} × {height}, {fps} fps', '{width} × {height}, {fps} fps'],
  'stats.picture.none': ['none', '없음'],
  'stats.relay-delay': ['relay delay', '중계 지연'],
  'stats.unknown': ['unknown', '알 수 없음'],
  'stats.relay-delay.clocks': ['unknown (clocks differ)', '알 수 없음(시계가 다름)'],
  'stats.round-trip': ['round trip', '왕복 시간'],
  'stats.buffer': ['buffered', '버퍼'],
  'stats.bitrate': ['received', '수신'],
  'stats.lost': ['packets lost', '잃은 패킷'],
  'stats.behind-live': ['behind live', '실시간보다 늦음'],
  'stats.behind-live.value': ['{ms} ms, speed {rate}', '{ms} ms, 속도 {rate}'],
  'stats.frames': ['frames shown', '표시한 프레임'],
  'stats.gap': ['longest gap', '가장 긴 끊김'],
  'stats.chunks': ['chunks', '청크'],
  'stats.errors': ['errors', '오류'],
  'stats.dropped': ['{count}, {dropped} dropped', '{count}, 버림 {dropped}'],

  // Chat
  'chat.empty': ['No messages since you joined.', '들어온 뒤로 받은 메시지가 없습니다.'],
  'chat.name': ['Your name', '이름'],
  'chat.message': ['Message', '메시지'],
  'chat.send': ['Send', '보내기'],
  'chat.you': ['{name} (you)', '{name}(나)'],
  'chat.unsent': ['Not sent: the relay is away.', '보내지 못했습니다. 중계 서버와 연결되어 있지 않습니다.'],
  'other': ['Other participant', '상대방'],
  'viewer': ['Viewer', '시청자'],

  // What happened, for those who do not see it
  'news.on-air': ['{name} is on air', '{name} 방송 시작'],
  'news.left': ['{name} has left', '{name} 나감'],
  'news.camera-on': ['{name}: camera on', '{name}: 카메라 켜짐'],
  'news.camera-off': ['{name}: camera off', '{name}: 카메라 꺼짐'],
  'news.mic-on': ['{name}: microphone on', '{name}: 마이크 켜짐'],
  'news.mic-off': ['{name}: microphone muted', '{name}: 마이크 꺼짐'],
  'news.back': ['Connected again', '다시 연결되었습니다'],
  'news.pinned': ['{name} is pinned', '{name} 고정됨'],
  'news.unpinned': ['Nobody is pinned', '고정 해제됨'],
  'news.message': ['{name} writes: {message}', '{name}님의 메시지: {message}'],

  // What is wrong, and what to do
  'retry.in': ['Trying again in {seconds} s', '{seconds}초 뒤에 다시 시도합니다'],
  'retry.soon': ['Trying again …', '다시 시도하는 중…'],
  'retry.now': ['Try now', '지금 시도'],
  'away.title': ['The relay cannot be reached', '중계 서버에 연결할 수 없습니다'],
  'away.text': [
    'Is it running, and is this device on its network?',
    '서버가 실행 중인지, 이 기기가 같은 네트워크에 있는지 확인하세요.',
  ],
  'token-needed.title': ['This relay needs a token', '이 중계 서버는 토큰이 필요합니다'],
  'token-needed.text': [
    'Whoever runs the relay has it. It stays in this tab only.',
    '토큰은 중계 서버 관리자에게 있습니다. 이 탭에만 보관됩니다.',
  ],
  'token-wrong.title': ['That token is not the right one', '토큰이 올바르지 않습니다'],
  'token-wrong.text': [
    'It may have changed, or lost a character. Enter it again, or ask whoever runs the relay.',
    '바뀌었거나 글자가 빠졌을 수 있습니다. 다시 입력하거나 중계 서버 관리자에게 물어보세요.',
  ],
  'token.label': ['Token', '토큰'],
  'token.show': ['Show', '보기'],
  'token.hide': ['Hide', '숨기기'],
  'token.join': ['Join', '들어가기'],
  'full.title': ['The room is full', '방이 가득 찼습니다'],
  'full.text': [
    'You come in as soon as somebody leaves.',
    '누군가 나가면 바로 들어갑니다.',
  ],
  'relay-full.title': ['The relay is full', '중계 서버가 가득 찼습니다'],
  'relay-full.text': [
    'It has no place left, or none left for your network. You come in as soon as somebody leaves.',
    '빈자리가 없거나, 이 네트워크에 남은 자리가 없습니다. 누군가 나가면 바로 들어갑니다.',
  ],
  'busy.title': ['The relay is busy', '중계 서버가 바쁩니다'],
  'busy.text': [
    'Too many people join at this moment, or it carries all the rooms it may.',
    '동시에 들어오는 사람이 너무 많거나, 열 수 있는 방이 모두 찼습니다.',
  ],
  'room.title': ['There is no such room', '이런 방은 없습니다'],
  'room.text': [
    'Its name is empty or too long for the relay. Check the address of this page.',
    '방 이름이 비어 있거나 너무 깁니다. 이 페이지의 주소를 확인하세요.',
  ],
  'kicked.title': ['You watch somewhere else now', '다른 곳에서 보고 있습니다'],
  'kicked.text': [
    'Another tab or device has joined as the same user, so this one has left.',
    '다른 탭이나 기기가 같은 사용자로 들어와서 이 탭은 나갔습니다.',
  ],
  'kicked.action': ['Watch here', '여기서 보기'],
  'ended.title': ['The meeting has ended', '회의가 끝났습니다'],
  'ended.text': ['You can close this page, or look whether it goes on.', '이 페이지를 닫거나, 다시 들어가 볼 수 있습니다.'],
  'ended.action': ['Join again', '다시 들어가기'],
  'refused.title': ['The relay did not let you in', '중계 서버가 입장을 거부했습니다'],
  'refused.text': ['It says: {message}', '서버의 답: {message}'],
  'no-media-source.title': ['This browser cannot show live video', '이 브라우저는 실시간 영상을 보여 줄 수 없습니다'],
  'no-media-source.text': [
    'It has no MediaSource. Try a current Chrome, Edge or Firefox; on an iPhone or iPad, iOS 17.1 or later.',
    'MediaSource가 없습니다. 최신 Chrome, Edge, Firefox를 사용해 보세요. iPhone과 iPad는 iOS 17.1 이상이 필요합니다.',
  ],
  'no-webrtc.title': ['This browser cannot show this meeting', '이 브라우저는 이 회의를 보여 줄 수 없습니다'],
  'no-webrtc.text': [
    'It has no WebRTC, or its user has turned it off. Try a current Chrome, Edge, Firefox or Safari.',
    'WebRTC가 없거나 꺼져 있습니다. 최신 Chrome, Edge, Firefox 또는 Safari를 사용해 보세요.',
  ],
};

const LANGUAGES = ['en', 'ko'];

/** The first language of a list of preferences ("ko-KR", "en", …) that the page speaks; English if none. */
export function languageOf(preferences) {
  const wanted = preferences.map((each) => each.toLowerCase().split('-')[0]);
  return wanted.find((each) => LANGUAGES.includes(each)) ?? LANGUAGES[0];
}

/** All keys, for tests. */
export const KEYS = Object.freeze(Object.keys(TABLE));

/** Returns `say(key, values)`: the text in a language, with the values in their places. */
export function speaking(language) {
  const column = LANGUAGES.indexOf(language);
  return (key, values = {}) => TABLE[key][column].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** The language of this browser's user, and the page's words in it. */
export const language = languageOf(globalThis.navigator?.languages ?? []);
export const say = speaking(language);

/** Puts the words into what the page is made of: `data-say` is an element's text, `data-say-label` its name. */
export function label(root) {
  for (const element of root.querySelectorAll('[data-say]')) element.textContent = say(element.dataset.say);
  for (const element of root.querySelectorAll('[data-say-label]')) name(element, say(element.dataset.sayLabel));
}

/** Names a control for those who see it and those who do not. */
export function name(element, text) {
  element.setAttribute('aria-label', text);
  if (element.matches('button, input')) element.title = text;
}
