//! A WHIP session as a value: what it asks, and what it makes of the answers that servers give.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use roomcam::meeting::whip::redirect::MAX_REDIRECTS;
use roomcam::meeting::whip::session::{CONNECT_TIMEOUT, GIVE_UP_AFTER, RESTART_AFTER};
use roomcam::meeting::whip::{Action, Answer, Event, Fault, HttpFault, Method, Request, Session};
use url::Url;

const ENDPOINT: &str = "https://sfu.example.org/whip/cam1?key=7";
const OFFER: &str = "v=0\r\na=group:BUNDLE 0\r\nm=audio 9 X 1\r\na=mid:0\r\na=ice-ufrag:ours\r\na=ice-pwd:pass\r\na=candidate:1 1 udp 1 192.0.2.7 4000 typ host\r\n";
const ANSWER: &str = "v=0\r\nm=audio 9 X 1\r\na=mid:0\r\na=ice-ufrag:theirs\r\na=ice-pwd:word\r\na=candidate:1 1 udp 1 192.0.2.9 5000 typ host\r\n";

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

fn created(location: &str) -> Answer {
    Answer {
        status: 201,
        location: Some(location.into()),
        etag: Some("bare-tag".into()),
        content_type: Some("application/sdp".into()),
        body: ANSWER.into(),
        ..Answer::default()
    }
}

fn status(status: u16) -> Answer {
    Answer { status, ..Answer::default() }
}

/// A session, and what it has said, on a clock that the test turns.
struct Story {
    session: Session,
    now: Instant,
}

impl Story {
    fn begin(kept: Option<&str>) -> Self {
        Self { session: Session::new(url(ENDPOINT), OFFER.into(), kept.map(url)), now: Instant::now() }
    }

    /// One that media get through.
    fn joined() -> Self {
        let mut story = Self::begin(None);
        story.answer(created("/session/1"));
        story.tell(Event::Connected);
        assert!(matches!(story.actions().last(), Some(Action::Joined)));
        story
    }

    fn tell(&mut self, event: Event) {
        self.session.handle(event, self.now);
    }

    fn answer(&mut self, answer: Answer) {
        self.tell(Event::Answered(answer));
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.tell(Event::Tick);
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.session.poll_action()).collect()
    }

    /// What is asked next; what stands before it is done.
    fn asked(&mut self) -> Request {
        let asked = self.actions().into_iter().find_map(|action| match action {
            Action::Ask(request) => Some(request),
            _ => None,
        });
        asked.expect("nothing is asked")
    }

    fn target(&mut self) -> (Method, String) {
        let request = self.asked();
        (request.method, request.url.into())
    }

    fn fault(&mut self) -> Fault {
        match self.actions().pop() {
            Some(Action::End(error)) => error.fault,
            other => panic!("the session has not ended: {other:?}"),
        }
    }
}

#[test]
fn an_offer_is_posted_and_its_answer_accepted() {
    let mut story = Story::begin(None);
    let request = story.asked();
    assert_eq!(
        (request.method, request.url.as_str(), request.body.as_str()),
        (Method::Post, ENDPOINT, OFFER)
    );
    assert_eq!(request.if_match, None);
    story.answer(created("../session/1"));
    let actions = story.actions();
    assert!(
        matches!(&actions[0], Action::Keep(Some(kept)) if kept.as_str() == "https://sfu.example.org/session/1")
    );
    assert!(matches!(&actions[1], Action::Accept(answer) if answer == ANSWER));
    assert_eq!(actions.len(), 2, "our candidates stand in the offer: {actions:?}");
    story.tell(Event::Connected);
    assert!(matches!(story.actions()[..], [Action::Joined]));
    assert_eq!(story.session.poll_timeout(), None);
}

#[test]
fn a_redirect_is_followed_and_the_session_is_where_the_last_server_says() {
    for code in [307, 308] {
        let mut story = Story::begin(None);
        story.asked();
        story.answer(Answer { location: Some("https://two.example.org/w/".into()), ..status(code) });
        let request = story.asked();
        assert_eq!((request.method, request.url.as_str()), (Method::Post, "https://two.example.org/w/"));
        assert_eq!(request.body, OFFER);
        story.answer(created("s/9"));
        story.tell(Event::Connected);
        story.tell(Event::Leave);
        assert_eq!(story.target(), (Method::Delete, "https://two.example.org/w/s/9".into()));
    }
}

#[test]
fn a_redirect_that_cannot_be_followed_ends_the_session() {
    let redirect = |to: Option<&str>, code| {
        let mut story = Story::begin(None);
        story.actions();
        story.answer(Answer { location: to.map(Into::into), ..status(code) });
        story.fault()
    };
    assert!(matches!(redirect(None, 307), Fault::Redirected { status: 307, .. }));
    assert!(matches!(redirect(Some("https://"), 307), Fault::Redirected { .. }));
    assert!(matches!(redirect(Some("http://sfu.example.org/whip"), 307), Fault::Insecure { .. }));
    assert!(matches!(redirect(Some("ftp://sfu.example.org/whip"), 308), Fault::Insecure { .. }));
    // The browser's way of a redirect would make a GET of the POST.
    assert!(matches!(redirect(Some("https://two.example.org/"), 302), Fault::Redirected { status: 302, .. }));
    // Neither is fit for the log: what follows the path, and a password.
    for to in [
        "https://me:hunter2@two.example.org/whip?token=hunter2#hunter2",
        "/two.example.org/whip?token=hunter2",
    ] {
        let told = redirect(Some(to), 302).to_string();
        assert!(told.contains("two.example.org/whip") && !told.contains("hunter2"), "{told}");
    }

    let mut story = Story::begin(None);
    for _ in 0..MAX_REDIRECTS {
        assert_eq!(story.asked().method, Method::Post);
        story.answer(Answer { location: Some(ENDPOINT.into()), ..status(307) });
    }
    story.asked();
    story.answer(Answer { location: Some(ENDPOINT.into()), ..status(307) });
    assert!(matches!(story.fault(), Fault::RedirectLoop { .. }));
}

#[test]
fn what_is_no_201_ends_the_session_in_words() {
    for (code, words, refusal) in [
        (200, "answered 200 where a WHIP endpoint answers 201", false),
        (299, "answered 299", false),
        (401, "wants a token (401)", true),
        (403, "refuses this device (403)", true),
        (404, "is not known there (404)", true),
        (406, "refuses the offer (406)", true),
        (499, "refuses the offer (499)", true),
        (429, "cannot take this device now (429)", false),
        (500, "cannot take this device now (500)", false),
        (599, "cannot take this device now (599)", false),
        (799, "cannot take this device now (799)", false),
    ] {
        let mut story = Story::begin(None);
        story.actions();
        story.answer(Answer {
            body: "because\r\nof".into(),
            retry_after: Some(Duration::from_secs(7)),
            ..status(code)
        });
        let Some(Action::End(error)) = story.actions().pop() else { panic!("{code} is no end") };
        let text = error.to_string();
        assert!(text.starts_with("WHIP endpoint https://sfu.example.org/whip/cam1: "), "{text}");
        assert!(text.contains(words), "{text}");
        assert_eq!(error.fault.is_refusal(), refusal, "{code}");
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)), "{code}");
        if code >= 400 {
            assert!(text.contains(r#": "because  of"; "#), "{text}");
        }
        assert!(!text.contains("key=7"), "a query may hold a secret: {text}");
    }
}

#[test]
fn a_201_without_an_address_is_used_and_one_without_a_description_is_not() {
    let mut story = Story::begin(None);
    story.actions();
    story.answer(Answer { location: None, ..created("") });
    assert!(matches!(story.actions()[..], [Action::Accept(_)]));
    story.tell(Event::Connected);
    assert!(matches!(story.actions()[..], [Action::Joined]));
    story.tell(Event::Leave);
    assert!(matches!(story.actions()[..], [Action::Left]), "there is nothing to delete");

    let mut story = Story::begin(None);
    story.actions();
    story.answer(Answer { body: "<html>".into(), content_type: Some("text/html".into()), ..created("/s") });
    let actions = story.actions();
    assert!(matches!(actions[0], Action::Keep(Some(_))), "it is deleted before the next offer");
    assert!(matches!(&actions[1], Action::End(error) if matches!(error.fault, Fault::NoDescription { .. })));
}

#[test]
fn a_session_that_encryption_does_not_protect_is_not_begun_from_one_that_it_does() {
    let mut story = Story::begin(None);
    story.actions();
    story.answer(created("http://sfu.example.org/session/1"));
    assert!(matches!(story.fault(), Fault::Insecure { .. }));
}

#[test]
fn the_session_of_a_run_before_is_deleted_first_whatever_comes_of_it() {
    let kept = "https://sfu.example.org/session/0";
    for (outcome, forgotten) in [
        (Event::Answered(status(200)), true),
        (Event::Answered(status(404)), true),
        (Event::Answered(status(503)), false),
        (Event::Answered(Answer { location: Some("http://h/".into()), ..status(307) }), true),
        (Event::Unanswered(HttpFault::TooLarge), false),
    ] {
        let mut story = Story::begin(Some(kept));
        let request = story.asked();
        assert_eq!((request.method, request.url.as_str()), (Method::Delete, kept));
        assert_eq!(request.if_match, None, "some servers refuse it with one");
        assert!(request.timeout < Duration::from_millis(1500), "to be back within 3 s");
        story.tell(outcome);
        let actions = story.actions();
        assert_eq!(matches!(actions[0], Action::Keep(None)), forgotten);
        assert!(matches!(actions.last(), Some(Action::Ask(request)) if request.method == Method::Post));
    }
}

#[test]
fn candidates_are_told_together_once_the_session_is_known() {
    let mut story = Story::begin(None);
    story.actions();
    let more = |port: u16| format!("candidate:2 1 udp 1 203.0.113.1 {port} typ relay");
    story.tell(Event::Candidates(vec![more(1), "candidate:1 1 udp 1 192.0.2.7 4000 typ host".into()]));
    story.tell(Event::Candidates(vec![more(2)]));
    assert!(story.actions().is_empty(), "there is nobody to tell yet");
    story.answer(created("/session/1"));
    let request = story.asked();
    assert_eq!((request.method, request.url.as_str()), (Method::Patch, "https://sfu.example.org/session/1"));
    assert_eq!(request.if_match.as_deref(), Some("bare-tag"), "as it came, without quotes");
    assert_eq!(
        request.body,
        format!(
            "a=group:BUNDLE 0\r\nm=audio 9 X 1\r\na=mid:0\r\na=ice-ufrag:ours\r\na=ice-pwd:pass\r\na={}\r\na={}\r\n\
             a=end-of-candidates\r\n",
            more(1),
            more(2)
        )
    );
    story.tell(Event::Candidates(vec![more(3)]));
    assert!(story.actions().is_empty(), "one thing is asked at a time");
    story.answer(status(204));
    assert!(story.asked().body.contains(&more(3)));
}

#[test]
fn a_server_that_takes_no_candidates_is_not_asked_again_and_the_session_goes_on() {
    for refused in [400, 404, 405, 412, 422, 501, 503] {
        let mut story = Story::joined();
        let candidate = |port: u16| vec![format!("candidate:2 1 udp 1 203.0.113.1 {port} typ relay")];
        story.tell(Event::Candidates(candidate(1)));
        assert_eq!(story.asked().method, Method::Patch);
        story.answer(status(refused));
        story.tell(Event::Candidates(candidate(2)));
        assert!(story.actions().is_empty(), "{refused}");
        assert!(!story.session.is_over());
    }
}

#[test]
fn an_endpoint_that_our_former_session_holds_is_cleared_again_once() {
    for refused in [403, 409] {
        let mut story = Story::begin(Some("https://sfu.example.org/session/0"));
        assert_eq!(story.asked().method, Method::Delete);
        story.tell(Event::Unanswered(HttpFault::TooLarge));
        assert_eq!(story.asked().method, Method::Post);
        story.answer(status(refused));
        let request = story.asked();
        assert_eq!((request.method, request.url.path()), (Method::Delete, "/session/0"));
        story.answer(status(200));
        assert_eq!(story.asked().method, Method::Post);
        story.answer(status(refused));
        assert!(matches!(story.actions().last(), Some(Action::End(_))));
    }
}

#[test]
fn media_that_get_through_no_more_restart_ice() {
    let restarted = OFFER.replace("ours", "fresh");
    let mut story = Story::joined();
    story.tell(Event::Disconnected);
    story.wait(RESTART_AFTER);
    assert!(matches!(story.actions()[..], [Action::OfferRestart]));
    story.tell(Event::RestartOffered(restarted.clone()));
    let request = story.asked();
    assert_eq!((request.method, request.if_match.as_deref()), (Method::Patch, Some("*")));
    assert!(request.body.contains("a=ice-ufrag:fresh\r\n"), "{}", request.body);

    // The network is away for what is asked too.
    story.tell(Event::Unanswered(HttpFault::TooLarge));
    story.wait(Duration::from_secs(1));
    assert!(matches!(story.actions()[..], [Action::OfferRestart]));
    story.tell(Event::RestartOffered(restarted));
    story.asked();
    let fragment = "a=ice-ufrag:new\r\na=ice-pwd:words\r\n";
    story.answer(Answer { etag: Some("\"two\"".into()), body: fragment.into(), ..status(200) });
    let accepted = ANSWER.replace("theirs", "new").replace("word", "words");
    assert!(matches!(&story.actions()[..], [Action::Accept(answer)] if *answer == accepted));
    story.tell(Event::Connected);
    assert_eq!(story.session.poll_timeout(), None);

    story.tell(Event::Candidates(vec!["candidate:9 1 udp 1 203.0.113.1 9 typ relay".into()]));
    let request = story.asked();
    assert_eq!(request.if_match.as_deref(), Some("\"two\""), "the tag of the new ICE session");
    assert!(request.body.contains("a=ice-ufrag:fresh\r\n"), "and our credentials of it");
}

#[test]
fn an_address_that_is_gone_restarts_ice_at_once() {
    for disconnected in [false, true] {
        let mut story = Story::joined();
        if disconnected {
            story.tell(Event::Disconnected);
            story.wait(RESTART_AFTER / 2);
        }
        story.tell(Event::PathLost);
        assert!(matches!(story.actions()[..], [Action::OfferRestart]));
        story.tell(Event::Connected);
        assert_eq!(story.session.poll_timeout(), None);
    }
}

#[test]
fn addresses_that_go_one_after_the_other_do_not_keep_a_lost_session() {
    let mut story = Story::joined();
    let times = GIVE_UP_AFTER.as_secs();
    for second in 0..=times {
        story.tell(Event::PathLost);
        let over = story.actions().iter().any(|action| matches!(action, Action::End(_)));
        assert_eq!(over, second == times, "after {second} s");
        story.wait(Duration::from_secs(1));
    }
}

#[test]
fn a_short_outage_restarts_nothing() {
    let mut story = Story::joined();
    story.tell(Event::Disconnected);
    story.wait(RESTART_AFTER / 2);
    story.tell(Event::Connected);
    story.wait(GIVE_UP_AFTER * 2);
    assert!(story.actions().is_empty());
}

#[test]
fn a_restart_that_is_refused_or_does_not_help_ends_the_session() {
    for refused in
        [status(405), status(412), status(500), status(204), Answer { body: "?".into(), ..status(200) }]
    {
        let mut story = Story::joined();
        story.tell(Event::Disconnected);
        story.wait(RESTART_AFTER);
        story.actions();
        story.tell(Event::RestartOffered(OFFER.replace("ours", "fresh")));
        story.actions();
        story.answer(refused);
        let fault = story.fault();
        assert!(matches!(fault, Fault::Lost(_)) && !fault.is_refusal(), "a new offer follows soon");
    }
    let mut story = Story::joined();
    story.tell(Event::Disconnected);
    story.wait(GIVE_UP_AFTER);
    assert!(matches!(story.fault(), Fault::Lost(_)));
}

#[test]
fn media_that_never_get_through_end_the_session() {
    let mut story = Story::begin(None);
    story.actions();
    story.answer(created("/session/1"));
    story.actions();
    assert_eq!(story.session.poll_timeout(), Some(story.now + CONNECT_TIMEOUT));
    story.wait(CONNECT_TIMEOUT);
    let fault = story.fault();
    assert!(fault.to_string().contains("check that UDP gets through"), "{fault}");
}

#[test]
fn who_leaves_deletes_the_session_even_one_that_is_only_beginning() {
    let mut story = Story::joined();
    story.tell(Event::Leave);
    let request = story.asked();
    assert_eq!((request.method, request.url.as_str()), (Method::Delete, "https://sfu.example.org/session/1"));
    story.answer(status(200));
    assert!(matches!(story.actions()[..], [Action::Keep(None), Action::Left]));
    assert!(story.session.is_over());

    let mut story = Story::begin(None);
    story.actions();
    story.tell(Event::Leave);
    assert!(!story.session.is_over() && story.actions().is_empty(), "it is not known yet what to delete");
    story.answer(created("/session/1"));
    assert_eq!(story.target().0, Method::Delete);
    story.tell(Event::Unanswered(HttpFault::TooLarge));
    assert!(matches!(story.actions()[..], [Action::Left]), "it stays kept, and is deleted at the next start");

    let mut story = Story::begin(None);
    story.actions();
    story.tell(Event::Leave);
    story.answer(status(403));
    assert!(matches!(story.actions()[..], [Action::Left]));
}

#[test]
fn servers_for_ice_are_passed_on() {
    let mut story = Story::begin(None);
    story.actions();
    let links = vec![r#"<stun:stun.example.net>; rel="ice-server""#.into(), "<https://h>; rel=help".into()];
    story.answer(Answer { links, ..created("/s") });
    let servers = story.actions().into_iter().find_map(|action| match action {
        Action::UseIceServers(servers) => Some(servers),
        _ => None,
    });
    assert_eq!(servers.unwrap().len(), 1);
}

#[test]
fn a_server_for_ice_that_cannot_be_used_costs_nothing_else() {
    let mut story = Story::begin(None);
    story.actions();
    let links = vec![r#"<turn:turn.example.net>; rel="ice-server""#.into()];
    story.answer(Answer { links, ..created("/s") });
    let actions = story.actions();
    assert!(matches!(actions[..], [Action::Keep(Some(_)), Action::Accept(_)]), "{actions:?}");
}

fn any_answer() -> impl Strategy<Value = Answer> {
    let location = prop_oneof![
        Just(None),
        "[a-z/.:?#]{0,9}".prop_map(Some),
        Just(Some("/session/1".to_owned())),
        Just(Some("https://two.example.org/x".to_owned())),
        Just(Some("http://two.example.org/x".to_owned())),
    ];
    let code = prop_oneof![Just(201), Just(200), Just(204), Just(307), 0_u16..1000];
    let body = prop_oneof![Just(ANSWER.to_owned()), Just(String::new()), "\\PC{0,9}"];
    (code, location, body, prop::option::of("[a-z\"*]{0,5}")).prop_map(|(status, location, body, etag)| {
        Answer { status, location, body, etag, ..Answer::default() }
    })
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any_answer().prop_map(Event::Answered),
        1 => Just(()).prop_map(|()| Event::Unanswered(HttpFault::TooLarge)),
        1 => "candidate:[a-z]{0,3}".prop_map(|candidate| Event::Candidates(vec![candidate])),
        2 => Just(()).prop_map(|()| Event::Connected),
        2 => Just(()).prop_map(|()| Event::Disconnected),
        1 => Just(()).prop_map(|()| Event::PathLost),
        1 => Just(()).prop_map(|()| Event::RestartOffered(OFFER.replace("ours", "fresh"))),
        1 => Just(()).prop_map(|()| Event::Failed("broken".into())),
        1 => Just(()).prop_map(|()| Event::Unusable("odd".into())),
        1 => Just(()).prop_map(|()| Event::Leave),
        3 => Just(()).prop_map(|()| Event::Tick),
    ]
}

proptest! {
    /// Whatever servers and networks do: the session ends once, says nothing afterwards, asks nobody in the clear, never
    /// asks of a session that it has not kept, and its timer does not stand still.
    #[test]
    fn nothing_confuses_a_session(kept: bool, events in prop::collection::vec((any_event(), 0_u64..4000), 0..40)) {
        let mut story = Story::begin(kept.then_some("https://sfu.example.org/session/0"));
        let (mut over, mut known, mut asking) = (false, Vec::new(), 0);
        if kept {
            known.push(url("https://sfu.example.org/session/0"));
        }
        for (event, wait) in events {
            story.now += Duration::from_millis(wait);
            if matches!(event, Event::Answered(_) | Event::Unanswered(_)) {
                // Only what was asked is answered.
                if asking == 0 {
                    continue;
                }
                asking = 0;
            }
            let redirected = matches!(&event, Event::Answered(answer) if matches!(answer.status, 307 | 308));
            story.tell(event);
            for action in story.actions() {
                prop_assert!(!over, "{action:?} after the end");
                match action {
                    Action::Ask(request) => {
                        prop_assert_eq!(request.url.scheme(), "https");
                        if matches!(request.method, Method::Patch | Method::Delete) && !redirected {
                            prop_assert!(known.contains(&request.url), "{}", request.url);
                        }
                        asking = 1;
                    }
                    Action::Keep(Some(resource)) => known.push(resource),
                    Action::End(_) | Action::Left => over = true,
                    _ => {}
                }
            }
            prop_assert_eq!(over, story.session.is_over());
            if let Some(due) = story.session.poll_timeout() {
                prop_assert!(!over);
                prop_assert!(due > story.now || asking == 1, "a timer that is due for ever");
            }
        }
    }
}
