//! Untethered subscriptions: those that lag are left behind, and come back.

use crate::peer::Client;
use crate::rows::traffic::*;
use crate::world::*;

/// Time limits as parameters of a channel.
const LIMITS: &str = "untethered-window-limit-timeout=50ms|untethered-linger-timeout=25ms|\
    untethered-resting-timeout=50ms";
/// Time limits as settings of the driver.
const SETTINGS: &[(&str, &str)] = &[
    ("aeron.untethered.window.limit.timeout", "59ms"),
    ("aeron.untethered.linger.timeout", "25ms"),
    ("aeron.untethered.resting.timeout", "111ms"),
];

/// Channel of the publication and of the subscriptions, the tethered one first.
struct Channels {
    publication: String,
    tethered: String,
    untethered: String,
    settings: &'static [(&'static str, &'static str)],
}

/// The channels of this section, with `extra` parameters of the subscriptions: time limits in the
/// channels, and in the settings.
fn channels(extra: &str) -> Vec<Channels> {
    let mut all = Vec::new();
    for (limits, settings) in [(LIMITS, &[][..]), ("alias=none", SETTINGS)] {
        let udp = udp();
        let ipc = format!("{IPC}?{limits}");
        let network = format!("{udp}|{limits}");
        let spy = format!("aeron-spy:{udp}");
        for (publication, tethered, untethered) in [
            (ipc.clone(), ipc.clone(), ipc),
            (network.clone(), network.clone(), network.clone()),
            (network.clone(), network, spy),
        ] {
            all.push(Channels {
                publication,
                tethered: format!("{tethered}|{extra}tether=true"),
                untethered: format!("{untethered}|{extra}tether=false"),
                settings,
            });
        }
    }
    all
}

/// A publication that a tethered subscription reads and an untethered one does not.
struct Scene {
    writer: Writer,
    tethered: Reader,
    untethered: Reader,
    client: Client,
    _world: World,
}

impl Scene {
    fn new(channels: &Channels) -> Self {
        let world = World::start(channels.settings);
        let client = world.client();
        let subscribe =
            |channel| Reader::new(client.add_subscription(channel, STREAM).expect("added"));
        let tethered = subscribe(&channels.tethered);
        let untethered = subscribe(&channels.untethered);
        let publication = client
            .add_publication(&channels.publication, STREAM)
            .expect("added");
        for reader in [&tethered, &untethered] {
            wait_until("a connection", || reader.subscription.is_connected());
        }
        Self {
            writer: Writer::new(publication),
            tethered,
            untethered,
            client,
            _world: world,
        }
    }

    fn events(&self) -> (usize, usize) {
        let events = self.untethered.subscription.events();
        let came = events.iter().filter(|event| event.is_available).count();
        (came, events.len() - came)
    }

    /// Publishes, and reads as the tethered one, until the other's image has gone.
    fn leave_behind(&mut self) {
        wait_until("the untethered image to go", || {
            let offered = self.writer.offer();
            assert!(
                offered.is_retryable() || offered.position().is_some(),
                "{offered:?}"
            );
            self.tethered.poll();
            self.events().1 == 1
        });
    }
}

#[test]
fn row_11_1_who_lags_untethered_loses_its_image() {
    for channels in channels("") {
        let mut scene = Scene::new(&channels);
        scene.leave_behind();
        let Scene {
            writer, tethered, ..
        } = &mut scene;
        assert!(tethered.subscription.is_connected());
        exchange(writer, &mut [tethered], 200);
        assert_eq!(tethered.subscription.events().len(), 1);
    }
}

#[test]
fn row_11_2_who_rested_gets_the_image_back() {
    for channels in channels("") {
        let mut scene = Scene::new(&channels);
        scene.leave_behind();
        wait_until("the image to come back", || scene.events().0 >= 2);
        let Scene {
            writer,
            tethered,
            untethered,
            ..
        } = &mut scene;
        untethered.forget(writer.publication.session_id());
        // It may be late once more on a busy machine, and miss messages again.
        wait_until("both to read on", || {
            writer.offer();
            tethered.poll();
            let images = untethered.subscription.events().len();
            let before = untethered.count();
            if images % 2 == 1 {
                untethered.poll();
            } else {
                untethered.forget(writer.publication.session_id());
            }
            untethered.count() > before && untethered.count() >= 10
        });
        wait_until("it to be level", || {
            poll_all(&mut [tethered, untethered]);
            let end = writer.publication.position();
            let images = untethered.subscription.images();
            images.first().is_some_and(|image| image.position() == end)
        });
    }
}

#[test]
fn row_11_3_without_rejoin_it_is_over() {
    for channels in channels("rejoin=false|") {
        let mut scene = Scene::new(&channels);
        let id = scene.untethered.subscription.registration_id();
        let has_position = |scene: &Scene| {
            let counters = scene.client.counters();
            counters.iter().any(|counter| {
                counter.type_id == counter_type::SUBSCRIBER_POSITION
                    && counter.registration_id == id
            })
        };
        assert!(has_position(&scene));
        scene.leave_behind();
        wait_until("its position to be freed", || !has_position(&scene));
        let Scene {
            writer, tethered, ..
        } = &mut scene;
        exchange(writer, &mut [tethered], 500);
        assert_eq!(scene.events(), (1, 1));
    }
}

#[test]
fn row_11_4_logs_say_whose_time_limits_apply() {
    let world = World::start(&[]);
    let client = world.client();
    let udp = udp();
    let limits = |window: u32| {
        format!(
            "untethered-window-limit-timeout={window}ms|untethered-linger-timeout={}ms|\
             untethered-resting-timeout={}ms",
            window + 1,
            window + 2
        )
    };
    let publication = client
        .add_publication(&format!("{udp}|{}", limits(500)), STREAM)
        .expect("added");
    let subscription = client
        .add_subscription(&format!("{udp}|{}", limits(700)), STREAM)
        .expect("added");
    let image = wait_for("the image", || subscription.images().pop());
    let of = |first: i64| [0, 1, 2].map(|more| (first + more) * 1_000_000);
    let folder = |name, id| untethered_timeouts(&world, name, id);
    assert_eq!(
        folder("publications", publication.original_registration_id()),
        of(500)
    );
    assert_eq!(folder("images", image.correlation_id()), of(700));
}

/// An untethered spy that was left behind and rests for a while.
fn resting_spy(ssc: bool) -> Scene {
    let udp = udp();
    let limits = "untethered-window-limit-timeout=50ms|untethered-linger-timeout=25ms|\
        untethered-resting-timeout=3s";
    let mut scene = Scene::new(&Channels {
        publication: format!("{udp}|{limits}|ssc={ssc}"),
        tethered: udp.clone(),
        untethered: format!("aeron-spy:{udp}|tether=false"),
        settings: &[],
    });
    scene.leave_behind();
    scene
}

#[test]
fn row_11_5_a_spy_that_comes_back_connects_its_publication() {
    let Scene {
        writer,
        tethered,
        untethered,
        client: _client,
        _world,
    } = resting_spy(true);
    tethered.subscription.close();
    wait_until("nobody to be left", || !writer.publication.is_connected());
    assert!(!untethered.subscription.is_connected());
    wait_until("the spy to be back", || writer.publication.is_connected());
    wait_until("its image", || untethered.subscription.is_connected());
}

#[test]
fn row_11_6_a_spy_that_simulates_nothing_connects_nothing() {
    let Scene {
        writer,
        tethered,
        untethered,
        client: _client,
        _world,
    } = resting_spy(false);
    tethered.subscription.close();
    wait_until("nobody to be left", || !writer.publication.is_connected());
    wait_until("the spy to be back", || {
        untethered.subscription.is_connected()
    });
    assert!(!writer.publication.is_connected());
    assert!(!writer.publication.is_closed());
    wait_until("no window", || window_of(&writer.publication) <= 0);
}

#[test]
fn row_11_7_an_ipc_publication_waits_for_whom_it_left_behind() {
    let limits = "untethered-window-limit-timeout=50ms|untethered-linger-timeout=25ms|\
        untethered-resting-timeout=3s";
    let mut scene = Scene::new(&Channels {
        publication: format!("{IPC}?{limits}"),
        tethered: IPC.to_owned(),
        untethered: format!("{IPC}?tether=false"),
        settings: &[],
    });
    scene.leave_behind();
    let Scene {
        writer,
        tethered,
        untethered,
        client: _client,
        _world,
    } = scene;
    // While its image lingers, the untethered one still counts; then it rests.
    tethered.subscription.close();
    wait_until("nobody to be left", || !writer.publication.is_connected());
    let end = writer.publication.position();
    wait_until("it to be back", || writer.publication.is_connected());
    let image = wait_for("its image", || untethered.subscription.images().pop());
    assert_eq!(image.join_position(), end);
}
