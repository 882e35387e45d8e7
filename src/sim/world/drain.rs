//! Whether everything has arrived, and whether everyone has gone.

use super::{CLOSE_STEPS, Run};
use crate::sim::people::{Outcome, Subscriber};
use crate::sim::plan::{Part, Strategy, StreamPlan, SubscriberKind, SubscriberPlan};

impl Run {
    /// What still has to arrive, if anything: every publisher that lives has published what it
    /// wanted to, and every subscriber that lives has all of it, from exactly the publications that
    /// there are.
    pub(super) fn undrained(&mut self) -> Outcome<Option<String>> {
        for (number, subscriber) in self.subscribers.iter().enumerate() {
            if !subscriber.is_settled() {
                return Ok(Some(
                    self.say(|| format!("subscriber {number} has no subscription")),
                ));
            }
        }
        for (number, publisher) in self.publishers.iter().enumerate() {
            let stream = self.plan.publishers[number].stream;
            let ledger = publisher.ledger().map(|ledger| self.ledgers.get(ledger));
            let session = ledger.map(|ledger| ledger.session_id.get());
            let is_heard = self.is_heard(stream, session) && self.is_group_complete(stream);
            if publisher.is_closed() || (publisher.is_done() && publisher.ledger().is_some()) {
                continue;
            }
            if publisher.ledger().is_none() && self.is_hopeless(stream) {
                continue;
            }
            if publisher.ledger().is_none() {
                return Ok(Some(
                    self.say(|| format!("publisher {number} has no publication")),
                ));
            }
            let plan = &self.plan.streams[stream];
            let is_lost = session.is_some_and(|session| self.is_lost_for_good(plan, session));
            if is_heard && !is_lost {
                return Ok(Some(self.say(|| {
                    let why = format!("publisher {number} has not published all it wanted to");
                    why + &self.explain(number)
                })));
            }
        }
        for number in 0..self.subscribers.len() {
            if let Some(why) = self.lacks(number) {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }

    /// Whether a stream is part of a conversation that cannot be expected to go on: somebody is
    /// dead, or was replaced.
    fn is_hopeless(&self, stream: usize) -> bool {
        let streams = match self.plan.streams[stream].part {
            Part::Alone => return false,
            Part::Requests { answers } => [stream, answers],
            Part::Answers { requests } => [requests, stream],
        };
        let publishers = self.publishers.iter().zip(&self.plan.publishers);
        let mut publishers = publishers.filter(|(_, plan)| streams.contains(&plan.stream));
        let subscribers = self.subscribers.iter().zip(&self.plan.subscribers);
        let mut subscribers = subscribers.filter(|(_, plan)| streams.contains(&plan.stream));
        self.responses.is_broken(streams[1])
            || publishers.any(|(publisher, _)| publisher.is_closed())
            || subscribers.any(|(subscriber, _)| subscriber.is_closed())
    }

    /// Whether somebody subscribes to a stream, and to this session of it, in a way that connects
    /// its publications.
    fn is_heard(&self, stream: usize, session: Option<i32>) -> bool {
        let plan = &self.plan.streams[stream];
        if self.is_hopeless(stream) && matches!(plan.part, Part::Answers { .. }) {
            return false;
        }
        let subscribers = self.subscribers.iter().zip(&self.plan.subscribers);
        let wants = |s: &Subscriber| session.is_none_or(|session| s.wants(session));
        let mut kinds = subscribers
            .filter(|(s, plan)| plan.stream == stream && s.is_open() && wants(s))
            .map(|(_, plan)| plan.kind);
        let driver = &self.plan.drivers[plan.medium.source()];
        kinds.any(|kind| kind == SubscriberKind::Direct || driver.spies_simulate_connection)
    }

    /// Whether a stream's session went away at somebody who does not want it again.
    fn is_lost_for_good(&self, stream: &StreamPlan, session: i32) -> bool {
        !stream.rejoins && self.ledgers.is_left(stream.stream_id, session)
    }

    /// Whether a stream has the receivers without whom nothing may be sent.
    fn is_group_complete(&self, stream: usize) -> bool {
        let plan = &self.plan.streams[stream];
        let subscribers = self.subscribers.iter().zip(&self.plan.subscribers);
        let is_direct = |(s, plan): &(&Subscriber, &SubscriberPlan)| {
            plan.stream == stream && s.is_open() && plan.kind == SubscriberKind::Direct
        };
        let direct = subscribers.filter(is_direct).map(|(_, plan)| plan);
        // Receivers: a driver is one, unless each subscription listens in places of its own.
        let mut receivers: Vec<(usize, usize)> = direct
            .map(|subscriber| self.plan.clients[subscriber.client].driver)
            .enumerate()
            .map(|(number, driver)| (driver, if plan.is_doubled() { number } else { 0 }))
            .collect();
        receivers.sort_unstable();
        receivers.dedup();
        let required = plan.flow().map_or(0, |flow| flow.required);
        let is_counted = |driver: usize| match plan.flow() {
            Some(flow) if flow.strategy == Strategy::Tagged => plan.has_tag(driver),
            Some(_) | None => true,
        };
        let count = receivers.iter().filter(|(driver, _)| is_counted(*driver));
        count.count() >= required
    }

    /// Whether a session's group is incomplete for good: without somebody who lost it and does not
    /// want it again.
    fn is_short_for_good(&self, stream: &StreamPlan, session: i32) -> bool {
        let is_demanding = stream.flow().is_some_and(|flow| flow.required > 0);
        is_demanding && self.is_lost_for_good(stream, session)
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
        let is_complete = self.is_group_complete(plan.stream);
        let is_held = !is_complete && plan.kind == SubscriberKind::Direct;
        for (session, ledger) in sessions
            .iter()
            .filter(|(session, _)| subscriber.wants(*session))
        {
            let is_short = self.is_short_for_good(stream, *session);
            let is_complete = is_complete && !is_short;
            let is_held = is_held || (is_short && plan.kind == SubscriberKind::Direct);
            // Whoever lost it for good does not hear it, though it still wants the session.
            let is_lost = self.is_lost_for_good(stream, *session);
            let is_heard = self.is_heard(plan.stream, Some(*session)) && is_complete && !is_lost;
            let of_session = views.iter().filter(|view| view.session_id == *session);
            let has = of_session.map(|view| view.position).max();
            let ledger = self.ledgers.get(*ledger);
            let position = ledger.producer_position();
            let is_all = match has {
                // Nothing is sent to a group that is not complete.
                Some(has) if is_held => has <= position,
                // A claim that was left at the end stays until somebody publishes behind it.
                Some(has) if !is_heard => (ledger.committed_position()..=position).contains(&has),
                Some(has) => has == position,
                // Nobody can join a stream any more that is used up, nor, where that is what it
                // wants, one that it had before.
                None => {
                    // An untethered one may be dropped before it ever looks.
                    let is_over = is_lost || (!stream.is_tethered && !stream.rejoins);
                    !is_heard || position >= stream.position_max() || is_over
                }
            };
            if !is_all {
                return Some(self.say(|| {
                    format!(
                        "subscriber {number} is at {has:?} of session {session}, which was \
                         published up to {position};{}",
                        self.describe(stream.stream_id, *session)
                    )
                }));
            }
        }
        // Publications that end wait for their group, and their receivers for them.
        let is_waiting = |session: i32| !is_complete || self.is_short_for_good(stream, session);
        for view in views.iter().filter(|view| !is_waiting(view.session_id)) {
            if !sessions
                .iter()
                .any(|(session, _)| *session == view.session_id)
            {
                return Some(self.say(|| {
                    format!(
                        "subscriber {number} still has session {}, which is not published any \
                         more;{}",
                        view.session_id,
                        self.describe(stream.stream_id, view.session_id)
                    )
                }));
            }
        }
        None
    }

    /// What is wrong, in words once somebody is to read them.
    fn say(&self, words: impl FnOnce() -> String) -> String {
        if self.is_explaining {
            words()
        } else {
            String::new()
        }
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
        Ok((open > 0).then(|| self.say(|| format!("{open} clients"))))
    }
}
