//! The pages of the model, which behave as deployed ones do.

use std::collections::BTreeSet;

use roomcam::meeting::mesh::{Candidate, Step};

use super::connection::{Connection, Credentials};
use super::paths::Way;
use super::world::{Message, World};

impl World {
    pub fn page_hears(&mut self, page: u32, message: Message) {
        let kind = self.actors[&page].kind;
        match message {
            Message::Existing(others) => {
                for other in others {
                    self.page_connection(page, other);
                    if kind.offers_to_found() {
                        self.page_offers(page, other);
                    }
                }
            }
            Message::Joined(other) => {
                let with = if self.one_to_one { 0 } else { other };
                self.page_connection(page, with);
                if self.one_to_one || kind.offers_to_comers() {
                    self.page_offers(page, with);
                }
            }
            Message::Left(other) => {
                if let Some(connection) = self.actors.get_mut(&page).unwrap().connections.remove(&other) {
                    self.closed(&connection);
                }
            }
            Message::Signal(other, step) => {
                let with = if self.one_to_one { 0 } else { other };
                self.page_connection(page, with);
                let ids = &mut self.ids;
                let connection = self.actors.get_mut(&page).unwrap().connections.get_mut(&with).unwrap();
                match step {
                    Step::Offer(sdp) => {
                        let answer = connection.answer(&sdp, &BTreeSet::new(), ids);
                        self.page_says(page, with, Step::Answer(answer));
                    }
                    // Without an offer it is an error that the page does not look at.
                    Step::Answer(sdp) => {
                        connection.accept(&sdp);
                    }
                    // Neither does it queue candidates.
                    Step::Candidate(Candidate { candidate, username_fragment, .. }) => {
                        connection.add_candidate(&candidate, username_fragment.as_deref());
                    }
                }
            }
            Message::Join => unreachable!(),
        }
    }

    pub fn page_connection(&mut self, page: u32, with: u32) {
        let connections = &mut self.actors.get_mut(&page).unwrap().connections;
        connections.entry(with).or_insert_with(|| Connection::new("-", &mut self.ids));
    }

    pub fn page_offers(&mut self, page: u32, with: u32) {
        let connection = self.actors.get_mut(&page).unwrap().connections.get_mut(&with).unwrap();
        let offer = connection.make_offer(false, &BTreeSet::new(), &mut self.ids);
        self.page_says(page, with, Step::Offer(offer));
    }

    /// Candidates follow each description, or overtake it, as handlers in pages do. Browsers gather them anew for each.
    fn page_says(&mut self, page: u32, with: u32, step: Step) {
        let (Step::Offer(sdp) | Step::Answer(sdp)) = &step else { unreachable!() };
        let username_fragment = Credentials::read(sdp).username_fragment();
        let start = self.turn_start();
        let actor = self.actors.get_mut(&page).unwrap();
        actor.ways = actor.place.ways();
        actor.ways.extend(start.filter(|_| actor.has_turn).map(|start| Way::Relayed { start }));
        let candidates = actor.ways.clone().into_iter().map(|way| candidate(way, &username_fragment));
        let (early, late): (Vec<Step>, Vec<Step>) = candidates.partition(|_| self.random(3) == 0);
        for step in early.into_iter().chain([step]).chain(late) {
            self.say(page, Message::Signal(with, step));
        }
    }
}

pub fn candidate(way: Way, username_fragment: &str) -> Step {
    Step::Candidate(Candidate {
        candidate: way.candidate(),
        sdp_mid: Some("0".into()),
        sdp_m_line_index: Some(0),
        username_fragment: Some(username_fragment.to_owned()),
    })
}
