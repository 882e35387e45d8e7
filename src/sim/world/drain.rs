//! Whether everything has arrived, and whether everyone has gone.

use super::{CLOSE_STEPS, Run};
use crate::sim::people::Outcome;

impl Run {
    /// What still has to arrive, if anything: every publisher that lives has published what it
    /// wanted to, and every subscriber that lives has all of it, from exactly the publications that
    /// there are.
    pub(super) fn undrained(&mut self) -> Outcome<Option<String>> {
        for (number, subscriber) in self.subscribers.iter().enumerate() {
            if !subscriber.is_settled() {
                return Ok(Some(format!("subscriber {number} has no subscription")));
            }
        }
        for (number, publisher) in self.publishers.iter().enumerate() {
            let stream = self.plan.publishers[number].stream;
            let is_heard = self.is_heard(stream);
            if publisher.is_closed() || (publisher.is_done() && publisher.ledger().is_some()) {
                continue;
            }
            if publisher.ledger().is_none() {
                return Ok(Some(format!("publisher {number} has no publication")));
            }
            if is_heard {
                let why = format!("publisher {number} has not published all it wanted to");
                return Ok(Some(why + &self.explain(number)));
            }
        }
        for number in 0..self.subscribers.len() {
            if let Some(why) = self.lacks(number) {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }

    /// Whether somebody subscribes to a stream in a way that connects its publications.
    fn is_heard(&self, stream: usize) -> bool {
        use crate::sim::plan::SubscriberKind::{Direct, Spy};
        let subscribers = self.subscribers.iter().zip(&self.plan.subscribers);
        let mut of_stream = subscribers.filter(|(s, plan)| plan.stream == stream && s.is_open());
        let driver = self.plan.streams[stream].medium.source();
        let connects = self.plan.drivers[driver].spies_simulate_connection;
        of_stream.any(|(_, plan)| match plan.kind {
            Direct => true,
            Spy => connects,
        })
    }

    /// Sessions that are published on a stream now, and their ledgers.
    fn sessions(&self, stream: usize) -> Vec<(i32, usize)> {
        let mut sessions: Vec<(i32, usize)> = self
            .publishers
            .iter()
            .zip(&self.plan.publishers)
            .filter(|(_, plan)| plan.stream == stream)
            .filter_map(|(publisher, _)| publisher.ledger())
            .map(|ledger| (self.ledgers.get(ledger).session_id.get(), ledger))
            .collect();
        sessions.sort_unstable();
        sessions.dedup();
        sessions
    }

    /// What a subscriber does not have, or has without there being such a thing.
    fn lacks(&self, number: usize) -> Option<String> {
        let subscriber = &self.subscribers[number];
        if !subscriber.is_open() {
            return None;
        }
        let plan = &self.plan.subscribers[number];
        let sessions = self.sessions(plan.stream);
        let views = subscriber.views();
        let stream = &self.plan.streams[plan.stream];
        let is_heard = self.is_heard(plan.stream);
        for (session, ledger) in &sessions {
            let of_session = views.iter().filter(|view| view.session_id == *session);
            let has = of_session.map(|view| view.position).max();
            let ledger = self.ledgers.get(*ledger);
            let position = ledger.producer_position();
            let is_all = match has {
                // A claim that was left at the end stays until somebody publishes behind it.
                Some(has) if !is_heard => (ledger.committed_position()..=position).contains(&has),
                Some(has) => has == position,
                // Nobody can join a stream any more that is used up.
                None => !is_heard || position >= stream.position_max(),
            };
            if !is_all {
                return Some(format!(
                    "subscriber {number} is at {has:?} of session {session}, which was published \
                     up to {position};{}",
                    self.describe(stream.stream_id, *session)
                ));
            }
        }
        for view in &views {
            if !sessions
                .iter()
                .any(|(session, _)| *session == view.session_id)
            {
                return Some(format!(
                    "subscriber {number} still has session {}, which is not published any more;{}",
                    view.session_id,
                    self.describe(stream.stream_id, view.session_id)
                ));
            }
        }
        None
    }

    fn explain(&self, publisher: usize) -> String {
        let Some(ledger) = self.publishers[publisher].ledger() else {
            return String::new();
        };
        let ledger = self.ledgers.get(ledger);
        self.describe(ledger.stream_id.get(), ledger.session_id.get())
    }

    fn describe(&self, stream_id: i32, session_id: i32) -> String {
        let drivers = self.watches.iter().enumerate();
        let texts = drivers.map(|(number, watch)| {
            format!(" driver {number}:{}", watch.describe(stream_id, session_id))
        });
        texts.collect()
    }

    /// Who has not closed yet. Has somebody close.
    pub(super) fn unclosed(&mut self) -> Outcome<Option<String>> {
        let is_over = self.step - self.phase_began.1 >= CLOSE_STEPS;
        let (mut scene, actors) = self.split();
        let mut open = 0;
        for (client, plan) in actors.clients.iter_mut().zip(&scene.plan.clients.clone()) {
            let is_due = is_over || (plan.closes_at_once && scene.rng.chance(1, CLOSE_STEPS));
            if is_due {
                client.close(&mut scene);
            }
            open += usize::from(client.is_open());
        }
        for (publisher, plan) in actors.publishers.iter_mut().zip(&scene.plan.publishers) {
            let is_gone = !actors.clients[plan.client].is_open();
            if is_gone || scene.rng.chance(2, CLOSE_STEPS) {
                publisher.close(&mut scene);
            }
        }
        for (subscriber, plan) in actors.subscribers.iter_mut().zip(&scene.plan.subscribers) {
            let is_gone = !actors.clients[plan.client].is_open();
            if is_gone || scene.rng.chance(2, CLOSE_STEPS) {
                subscriber.close(&mut scene);
            }
        }
        Ok((open > 0).then(|| format!("{open} clients")))
    }
}
