//! The rules of negotiation one by one, as the agent sees them: what it does, and when.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use roomcam::meeting::mesh::negotiation::{Action, Event, Negotiation};
use roomcam::meeting::mesh::{Candidate, Dialect, Form, Names, ParticipantId, Signal, Step};

/// A negotiation with its clock, which does nothing of what it is told to.
struct Agent {
    negotiation: Negotiation,
    now: Instant,
}

impl Agent {
    fn new(dialect: &Dialect) -> Self {
        Self { negotiation: Negotiation::new(dialect.offer_waits()), now: Instant::now() }
    }

    fn mesh() -> Self {
        Self::new(&Dialect::Mesh(Names::default()))
    }

    fn one_to_one() -> Self {
        Self::new(&Dialect::Noom(Form::Args))
    }

    /// What it does about something.
    fn told(&mut self, event: Event) -> Vec<Action> {
        self.negotiation.handle(event, self.now);
        std::iter::from_fn(|| self.negotiation.poll_action()).collect()
    }

    /// What it does next of its own, and after how many milliseconds.
    fn waited(&mut self) -> (u128, Vec<Action>) {
        let due = self.negotiation.poll_timeout().expect("it waits for nothing");
        let waited = due - self.now;
        self.now = due;
        (waited.as_millis(), self.told(Event::Tick))
    }

    /// Connects with `id`, whose offer it answers.
    fn connect(&mut self, id: &ParticipantId, fingerprint: &str) {
        let offer = sdp(fingerprint, "first");
        assert_eq!(
            self.told(heard(id, Step::Offer(offer.clone()))),
            [Action::Open(id.clone()), Action::Answer(id.clone(), offer)]
        );
        let answer = signal(id, Step::Answer(sdp("ours", "o")));
        assert_eq!(self.told(Event::Described(answer.clone())), [Action::Send(answer)]);
        assert_eq!(self.told(Event::Connected(id.clone())), []);
    }
}

fn ann() -> ParticipantId {
    ParticipantId::new("ann")
}

fn bob() -> ParticipantId {
    ParticipantId::new("bob")
}

fn sdp(fingerprint: &str, fragment: &str) -> String {
    format!("v=0\r\na=ice-ufrag:{fragment}\r\na=fingerprint:sha-256 {fingerprint}\r\n")
}

fn signal(peer: &ParticipantId, step: Step) -> Signal {
    Signal { peer: peer.clone(), step }
}

fn heard(peer: &ParticipantId, step: Step) -> Event {
    Event::Signal(signal(peer, step))
}

fn described(peer: &ParticipantId, step: Step) -> Event {
    Event::Described(signal(peer, step))
}

fn candidate(line: &str, fragment: Option<&str>) -> Candidate {
    Candidate {
        candidate: line.into(),
        sdp_mid: Some("0".into()),
        sdp_m_line_index: Some(0),
        username_fragment: fragment.map(Into::into),
    }
}

#[test]
fn those_found_and_those_who_come_have_0_7_s_to_offer() {
    for event in [Event::Found(ann()), Event::Came(ann())] {
        let mut agent = Agent::mesh();
        assert_eq!(agent.told(event), []);
        assert_eq!(agent.waited(), (700, vec![Action::Open(ann()), Action::Offer(ann())]));
        let offer = signal(&ann(), Step::Offer(sdp("ours", "o")));
        assert_eq!(agent.told(Event::Described(offer.clone())), [Action::Send(offer)]);
        let answer = sdp("anns", "a");
        assert_eq!(agent.told(heard(&ann(), Step::Answer(answer.clone()))), [Action::Accept(ann(), answer)]);
        assert_eq!(agent.told(Event::Connected(ann())), []);
        assert_eq!(agent.negotiation.poll_timeout(), None, "all is said");
    }
}

#[test]
fn whoever_offers_in_time_is_answered_and_not_offered_to() {
    let mut agent = Agent::mesh();
    agent.told(Event::Found(ann()));
    agent.now += Duration::from_millis(600);
    agent.connect(&ann(), "anns");
    assert_eq!(agent.negotiation.poll_timeout(), None);
}

#[test]
fn an_offer_after_the_decision_is_ignored() {
    let mut agent = Agent::mesh();
    agent.told(Event::Found(ann()));
    agent.waited();
    assert_eq!(agent.told(heard(&ann(), Step::Offer(sdp("anns", "a")))), [], "before ours is even made");
    agent.told(described(&ann(), Step::Offer(sdp("ours", "o"))));
    assert_eq!(agent.told(heard(&ann(), Step::Offer(sdp("anns", "a")))), []);
    let answer = sdp("anns", "b");
    assert_eq!(agent.told(heard(&ann(), Step::Answer(answer.clone()))), [Action::Accept(ann(), answer)]);
}

#[test]
fn of_two_who_ignore_each_other_the_one_with_the_smaller_fingerprint_gives_way() {
    for (theirs, gives_way) in [("aa", false), ("zz", true)] {
        let mut agent = Agent::mesh();
        agent.told(Event::Came(ann()));
        agent.waited();
        let ours = sdp("mm", "o");
        agent.told(described(&ann(), Step::Offer(ours.clone())));
        assert_eq!(
            agent.told(heard(&ann(), Step::Offer(sdp(theirs, "a")))),
            [],
            "the answer is not late yet"
        );
        assert_eq!(agent.waited(), (4000, vec![Action::Send(signal(&ann(), Step::Offer(ours)))]));
        let theirs = sdp(theirs, "a");
        let answered = agent.told(heard(&ann(), Step::Offer(theirs.clone())));
        assert_eq!(answered, if gives_way { vec![Action::Answer(ann(), theirs)] } else { vec![] });
    }
}

#[test]
fn of_two_agents_whose_offers_cross_one_gives_way_at_once() {
    let by_agent = |fingerprint| format!("v=0\r\no=str0m-1 7 2 IN IP4 0.0.0.0\r\n{}", sdp(fingerprint, "a"));
    for (theirs, gives_way) in [("aa", false), ("zz", true)] {
        let mut agent = Agent::mesh();
        agent.told(Event::Came(ann()));
        agent.waited();
        agent.told(described(&ann(), Step::Offer(by_agent("mm"))));
        let theirs = by_agent(theirs);
        let answered = agent.told(heard(&ann(), Step::Offer(theirs.clone())));
        assert_eq!(answered, if gives_way { vec![Action::Answer(ann(), theirs)] } else { vec![] });
    }
}

#[test]
fn candidates_wait_for_the_description_that_they_belong_to() {
    let mut agent = Agent::mesh();
    agent.told(Event::Came(ann()));
    let [early, nameless, later] =
        [candidate("early", Some("a")), candidate("nameless", None), candidate("later", Some("b"))];
    for each in [&early, &nameless, &later] {
        assert_eq!(agent.told(heard(&ann(), Step::Candidate(each.clone()))), []);
    }
    let add = |candidate: &Candidate| Action::AddCandidate(ann(), candidate.clone());
    let offer = sdp("anns", "a");
    assert_eq!(
        agent.told(heard(&ann(), Step::Offer(offer.clone()))),
        [Action::Open(ann()), Action::Answer(ann(), offer), add(&early), add(&nameless)]
    );
    agent.told(described(&ann(), Step::Answer(sdp("ours", "o"))));
    assert_eq!(agent.told(heard(&ann(), Step::Candidate(early.clone()))), [add(&early)]);

    // The other side restarts ICE, and its candidates come first.
    assert_eq!(agent.told(heard(&ann(), Step::Candidate(later.clone()))), []);
    let restart = sdp("anns", "b");
    assert_eq!(
        agent.told(heard(&ann(), Step::Offer(restart.clone()))),
        [Action::Answer(ann(), restart), add(&later), add(&later)]
    );
}

#[test]
fn candidates_of_ours_follow_the_description_and_never_go_before_it() {
    let mut agent = Agent::mesh();
    agent.told(Event::Found(ann()));
    agent.waited();
    let ours = signal(&ann(), Step::Candidate(candidate("ours", None)));
    assert_eq!(agent.told(Event::Described(ours.clone())), []);
    agent.told(described(&ann(), Step::Offer(sdp("ours", "o"))));
    assert_eq!(agent.told(Event::Described(ours.clone())), [Action::Send(ours)]);
}

#[test]
fn another_offer_on_the_same_connection_is_answered_and_one_of_another_connection_replaces_it() {
    let mut agent = Agent::mesh();
    agent.connect(&ann(), "first");
    let again = sdp("first", "restarted");
    assert_eq!(agent.told(heard(&ann(), Step::Offer(again.clone()))), [Action::Answer(ann(), again)]);
    agent.told(described(&ann(), Step::Answer(sdp("ours", "o"))));
    let anew = sdp("second", "a");
    assert_eq!(
        agent.told(heard(&ann(), Step::Offer(anew.clone()))),
        [Action::Close(ann()), Action::Open(ann()), Action::Answer(ann(), anew)]
    );
}

#[test]
fn an_offer_that_asks_for_nothing_is_met_with_one_of_ours() {
    let mut agent = Agent::mesh();
    agent.told(Event::Found(ann()));
    agent.told(heard(&ann(), Step::Offer(sdp("anns", "a"))));
    let anew = [Action::Close(ann()), Action::Open(ann()), Action::Offer(ann())];
    assert_eq!(agent.told(Event::Failed(ann())), anew);
}

#[test]
fn tracks_that_an_offer_left_out_are_offered_when_the_connection_is_there() {
    let mut agent = Agent::mesh();
    agent.told(heard(&ann(), Step::Offer(sdp("anns", "a"))));
    agent.told(described(&ann(), Step::Answer(sdp("ours", "o"))));
    assert_eq!(agent.told(Event::OfferNeeded(ann())), []);
    assert_eq!(agent.told(Event::Connected(ann())), [Action::Offer(ann())]);
    // Whoever does not answer keeps what it has.
    agent.told(described(&ann(), Step::Offer(sdp("ours", "o"))));
    let sent: Vec<usize> = (0..4).map(|_| agent.waited().1.len()).collect();
    assert_eq!(sent, [1, 1, 1, 0]);
    assert_eq!(agent.negotiation.poll_timeout(), None);
}

#[test]
fn a_connection_that_does_not_come_about_is_begun_anew_after_longer_and_longer_waits() {
    let mut agent = Agent::mesh();
    agent.told(Event::Found(ann()));
    agent.waited();
    let mut waits = Vec::new();
    for _ in 0..3 {
        agent.told(described(&ann(), Step::Offer(sdp("ours", "o"))));
        agent.told(heard(&ann(), Step::Answer(sdp("anns", "a"))));
        let (patience, closed) = agent.waited();
        assert_eq!(closed, [Action::Close(ann())]);
        let (wait, offered) = agent.waited();
        assert_eq!(offered, [Action::Open(ann()), Action::Offer(ann())]);
        waits.push((patience, wait));
    }
    assert_eq!(waits, [(5000, 300), (10_000, 600), (20_000, 1200)]);
}

#[test]
fn a_lost_connection_is_restarted_and_begun_anew_when_that_fails() {
    let mut agent = Agent::mesh();
    agent.connect(&ann(), "anns");
    assert_eq!(agent.told(Event::Disconnected(ann())), []);
    assert_eq!(agent.waited(), (3000, vec![Action::Offer(ann())]));
    agent.told(described(&ann(), Step::Offer(sdp("ours", "p"))));
    assert_eq!(agent.told(Event::Failed(ann())), [Action::Close(ann())]);
    assert_eq!(agent.waited(), (1500, vec![Action::Open(ann()), Action::Offer(ann())]));
}

#[test]
fn a_connection_that_comes_back_by_itself_is_left_alone() {
    let mut agent = Agent::mesh();
    agent.connect(&ann(), "anns");
    agent.told(Event::Disconnected(ann()));
    assert_eq!(agent.told(Event::Connected(ann())), []);
    assert_eq!(agent.negotiation.poll_timeout(), None);
}

#[test]
fn a_connection_that_ends_makes_room_for_one_that_was_refused() {
    let mut agent = Agent::mesh();
    agent.connect(&ann(), "anns");
    agent.told(heard(&bob(), Step::Offer(sdp("bobs", "b"))));
    assert_eq!(agent.told(Event::Refused(bob())), []);
    assert_eq!(agent.told(heard(&bob(), Step::Offer(sdp("bobs", "b")))), [], "there is no room");
    assert_eq!(
        agent.told(Event::Left(ann())),
        [Action::Close(ann()), Action::Open(bob()), Action::Offer(bob())]
    );
}

#[test]
fn whoever_answers_no_offer_makes_room_for_others_and_is_tried_again_later() {
    let mut agent = Agent::mesh();
    agent.told(Event::Found(ann()));
    agent.waited();
    agent.told(described(&ann(), Step::Offer(sdp("ours", "o"))));
    agent.told(heard(&bob(), Step::Offer(sdp("bobs", "b"))));
    agent.told(Event::Refused(bob()));
    let repeats: Vec<u128> = (0..3).map(|_| agent.waited().0).collect();
    assert_eq!(repeats, [4000, 8000, 16_000]);
    assert_eq!(agent.waited(), (30_000, vec![Action::Close(ann())]));
    assert_eq!(agent.waited(), (0, vec![Action::Open(bob()), Action::Offer(bob())]));
    assert_eq!(agent.waited(), (30_000, vec![Action::Open(ann()), Action::Offer(ann())]));
}

#[test]
fn in_a_one_to_one_room_the_one_that_was_there_offers_at_once_and_the_newcomer_waits() {
    let other = ParticipantId::other();
    let mut there = Agent::one_to_one();
    let offers = [Action::Open(other.clone()), Action::Offer(other.clone())];
    assert_eq!(there.told(Event::Came(other.clone())), offers);

    let mut newcomer = Agent::one_to_one();
    assert_eq!(newcomer.negotiation.poll_timeout(), None);
    newcomer.connect(&other, "theirs");
}

#[test]
fn in_a_one_to_one_room_a_third_gets_the_place_of_the_second_when_that_is_lost() {
    let other = ParticipantId::other();
    let anew = [Action::Close(other.clone()), Action::Open(other.clone()), Action::Offer(other.clone())];
    for lost in [Event::Disconnected, Event::Failed, Event::Closed] {
        let mut agent = Agent::one_to_one();
        agent.connect(&other, "second");
        assert_eq!(agent.told(Event::Came(other.clone())), [], "the second may still be there");
        agent.now += Duration::from_secs(8);
        assert_eq!(agent.told(lost(other.clone())), anew);
    }
    let mut agent = Agent::one_to_one();
    agent.connect(&other, "second");
    agent.told(Event::Disconnected(other.clone()));
    assert_eq!(agent.told(Event::Came(other.clone())), anew);
}

#[test]
fn in_a_one_to_one_room_whoever_closes_the_connection_has_gone() {
    let other = ParticipantId::other();
    let mut agent = Agent::one_to_one();
    agent.connect(&other, "theirs");
    assert_eq!(agent.told(Event::Closed(other.clone())), [Action::Close(other)]);
    assert_eq!(agent.negotiation.poll_timeout(), None);
}

#[test]
fn in_the_mesh_of_noom_the_newcomer_offers_at_once() {
    let mut agent = Agent::new(&Dialect::Noom(Form::Mesh));
    assert_eq!(agent.told(Event::Found(ann())), [Action::Open(ann()), Action::Offer(ann())]);
}

#[test]
fn what_comes_of_those_who_left_is_ignored_and_a_crowd_is_not_remembered() {
    let mut agent = Agent::mesh();
    agent.connect(&ann(), "anns");
    assert_eq!(agent.told(Event::Left(ann())), [Action::Close(ann())]);
    for event in [Event::Connected, Event::Disconnected, Event::Failed, Event::Closed, Event::Refused] {
        assert_eq!(agent.told(event(ann())), []);
    }
    assert_eq!(agent.told(heard(&ann(), Step::Answer(sdp("anns", "a")))), []);
    for number in 0..1000 {
        agent.told(Event::Came(ParticipantId::new(&format!("{number}"))));
    }
    agent.now += Duration::from_secs(2);
    let opened = agent.told(Event::Tick).into_iter().filter(|action| matches!(action, Action::Open(_)));
    assert_eq!(opened.count(), 256);
}
