//! What a relay's error texts mean.

/// What the text of an `error` event is about, as far as its words tell ([`ErrorKind::of`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Another connection of the same user took the seat.
    Superseded,
    /// The meeting is over.
    RoomEnded,
    /// The relay knows no such room.
    UnknownRoom,
    /// The credentials were refused.
    Auth,
    /// Anything else: the room is full, …
    Other,
}

impl ErrorKind {
    /// Reads the human text of a relay's error. Deployed relays have no codes and their wording varies, so
    /// this looks for parts of it, in lower case, in this order:
    ///
    /// - *superseded*: `다른 기기`, `다른 브라우저`, `다른 곳에서`, `다른 위치에서`, `중복 로그인`, `중복 접속`, `새로운 접속`,
    ///   `새로운 로그인`; or `another`, `other`
    ///   or `new` directly before `login`, `session`, `device`, `connection`, `tab`, `browser`, `location`;
    ///   or `duplicate login`, `duplicate session`, `logged in elsewhere`, `connected elsewhere`.
    /// - *room ended*: `종료된 회의`, `회의가 종료`, `종료된 방`, `방이 종료`, `미팅이 종료`, `종료되었습니다`; or `meeting`/`room` together with `ended`,
    ///   `has been closed` or `is over`.
    /// - *unknown room*: `존재하지 않는` or `찾을 수 없` together with `회의`, `방` or `미팅`; or `meeting`/`room` together with `not found`, `does not exist`,
    ///   `no such` or `unknown`.
    /// - *auth*: `인증`, `토큰`, `권한이 없`, `로그인이 필요`; `unauthorized`, `unauthenticated`, `authenticat`, `token`,
    ///   `jwt`, `forbidden`, `not logged in`, `login required`.
    pub fn of(message: &str) -> Self {
        const SUPERSEDED: &[&str] = &[
            "다른 기기",
            "다른 브라우저",
            "다른 곳에서",
            "다른 위치에서",
            "중복 로그인",
            "중복 접속",
            "새로운 접속",
            "새로운 로그인",
            "duplicate login",
            "duplicate session",
            "logged in elsewhere",
            "connected elsewhere",
        ];
        const OTHER: &[&str] = &["another", "other", "new"];
        const LOGIN: &[&str] = &["login", "session", "device", "connection", "tab", "browser", "location"];
        const ENDED_KO: &[&str] =
            &["종료된 회의", "회의가 종료", "종료된 방", "방이 종료", "미팅이 종료", "종료되었습니다"];
        const ENDED: &[&str] = &["ended", "has been closed", "is over"];
        const ROOM_KO: &[&str] = &["회의", "방", "미팅"];
        const UNKNOWN_KO: &[&str] = &["존재하지 않는", "찾을 수 없"];
        const UNKNOWN: &[&str] = &["not found", "does not exist", "no such", "unknown"];
        const AUTH: &[&str] = &[
            "인증",
            "토큰",
            "권한이 없",
            "로그인이 필요",
            "unauthorized",
            "unauthenticated",
            "authenticat",
            "token",
            "jwt",
            "forbidden",
            "not logged in",
            "login required",
        ];

        let text = message.to_lowercase();
        let has_any = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        let another_login = words.windows(2).any(|pair| {
            OTHER.contains(&pair[0]) && LOGIN.iter().any(|login| pair[1].trim_end_matches('s') == *login)
        });
        let of_the_room = words.iter().any(|word| ["meeting", "room"].contains(word));
        if another_login || has_any(SUPERSEDED) {
            Self::Superseded
        } else if has_any(ENDED_KO) || (of_the_room && has_any(ENDED)) {
            Self::RoomEnded
        } else if (has_any(UNKNOWN_KO) && has_any(ROOM_KO)) || (of_the_room && has_any(UNKNOWN)) {
            Self::UnknownRoom
        } else if has_any(AUTH) {
            Self::Auth
        } else {
            Self::Other
        }
    }
}
