//! The pages of the model, which behave as deployed ones do.

use roomcam::meeting::mesh::{Candidate, Step};

use super::connection::{Connection, Credentials};
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
                        let answer = connection.answer(&sdp, ids);
                        self.page_says(page, with, Step::Answer(answer));
                    }
                    // Without an offer it is an error that the page does not look at.
                    Step::Answer(sdp) => {
                        connection.accept(&sdp);
                    }
                    Step::Candidate(_) => {}
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
        let offer = connection.make_offer(false, &mut self.ids);
        self.page_says(page, with, Step::Offer(offer));
    }

    /// A candidate follows each description, or overtakes it, as handlers in pages do.
    fn page_says(&mut self, page: u32, with: u32, step: Step) {
        let (Step::Offer(sdp) | Step::Answer(sdp)) = &step else { unreachable!() };
        let fragment = format!("u{}", Credentials::read(sdp).fragment);
        let candidate = Step::Candidate(Candidate {
            candidate: "candidate:1".into(),
            sdp_mid: Some("0".into()),
            sdp_m_line_index: Some(0),
            username_fragment: Some(fragment),
        });
        let overtakes = self.random(3) == 0;
        let both = if overtakes { [candidate, step] } else { [step, candidate] };
        for step in both {
            self.say(page, Message::Signal(with, step));
        }
    }
}
