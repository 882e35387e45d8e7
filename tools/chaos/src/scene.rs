//! A round's stage with everything on it: directories, paths, drivers, publishers, subscribers.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use aileron_chaos::fate;
use aileron_chaos::proxy::Proxy;

use crate::failure::Failure;
use crate::network::{End, Network};
use crate::plan::{Layout, Plan};
use crate::possessions::Possessions;
use crate::report::Told;
use crate::stage::{Kind, Side, Stage};
use crate::timing::Timing;

/// Bytes of the file system of [`Layout::SmallStorage`].
const SMALL_STORAGE: u64 = 24 << 20;
/// Stream of clients that only add and drop things.
const OTHER_STREAM: i32 = 2002;

/// A round under way.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) plan: Plan,
    pub(crate) timing: Timing,
    /// What everybody was told.
    pub(crate) told: Vec<Told>,
    pub(crate) network: Option<Network>,
    proxy: Option<Proxy>,
    /// Port of the subscribers, or of the publication's control.
    port: u16,
    next_sender: u32,
    /// Of each driver, before it had clients.
    baselines: Vec<(Side, Possessions)>,
}

impl Scene {
    /// Makes the stage ready: paths and drivers.
    pub(crate) fn set(plan: Plan, timing: Timing, root: &Path) -> Result<Self, Failure> {
        let mut scene = Self {
            stage: Stage::new(root),
            timing,
            told: Vec::new(),
            network: None,
            proxy: None,
            port: free_port()?,
            next_sender: 0,
            baselines: Vec::new(),
            plan,
        };
        match scene.plan.layout {
            Layout::Namespaces => {
                let network = Network::make("round");
                let network = network.ok_or_else(|| Failure::Setup("no namespaces".to_owned()))?;
                scene.network = Some(network);
            }
            Layout::SmallStorage => mount_small_storage(root)?,
            Layout::Lossy => scene.proxy = Some(scene.lossy_path()?),
            Layout::Ipc | Layout::Udp | Layout::Pair | Layout::Fanout => {}
        }
        for side in scene.sides() {
            scene.start_driver(side)?;
        }
        Ok(scene)
    }

    fn lossy_path(&self) -> Result<Proxy, Failure> {
        let path = fate::Path {
            loss: 0.05,
            duplicate: 0.02,
            reorder: 0.05,
            delay: Duration::from_millis(1),
            jitter: Duration::from_millis(1),
            held_back: Duration::from_millis(4),
        };
        let target = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.port);
        let seed = self.plan.seed;
        let forward = Box::new(path.drawn_from(seed));
        let backward = Box::new(path.drawn_from(!seed));
        Proxy::start(target, forward, backward).map_err(|error| Failure::setup("proxy", error))
    }

    /// The drivers there are.
    pub(crate) fn sides(&self) -> Vec<Side> {
        if self.plan.layout.has_two_drivers() {
            vec![Side::Near, Side::Far]
        } else {
            vec![Side::Near]
        }
    }

    /// Where subscribers have their driver.
    pub(crate) fn subscribers_side(&self) -> Side {
        if self.plan.layout.has_two_drivers() {
            Side::Far
        } else {
            Side::Near
        }
    }

    pub(crate) fn directory(&self, side: Side) -> PathBuf {
        self.stage.root.join(match side {
            Side::Near => "near",
            Side::Far => "far",
        })
    }

    /// The living driver of a side.
    pub(crate) fn driver(&self, side: Side) -> Option<usize> {
        let drivers = self.stage.living(Kind::Driver);
        drivers
            .into_iter()
            .find(|index| self.stage.actors[*index].side == side)
    }

    fn wrapper(&self, side: Side) -> Vec<String> {
        let end = match side {
            Side::Near => End::Here,
            Side::Far => End::There,
        };
        let network = self.network.as_ref();
        network.map_or_else(Vec::new, |network| {
            network.within(end).map(str::to_owned).to_vec()
        })
    }

    /// Starts a driver, and waits until it serves.
    pub(crate) fn start_driver(&mut self, side: Side) -> Result<(), Failure> {
        let mut arguments = vec![
            "driver".to_owned(),
            "--dir".to_owned(),
            self.directory(side).display().to_string(),
        ];
        for property in self.timing.properties() {
            arguments.push(format!("-D{property}"));
        }
        if self.plan.layout == Layout::SmallStorage {
            // Sparse logs promise storage that somebody else may take meanwhile.
            arguments.push("-Daeron.term.buffer.sparse.file=false".to_owned());
        }
        let wrapper = self.wrapper(side);
        let name = format!("{side:?}-driver").to_lowercase();
        let since = Instant::now();
        let index = self
            .stage
            .start(name, (Kind::Driver, side), &wrapper, &arguments)?;
        let limit = self.timing.watchdog();
        self.stage.await_words(index, "ready", since, limit)?;
        let pid = self.stage.actors[index].process.id();
        let possessions = Possessions::of(&self.directory(side), pid)
            .ok_or_else(|| Failure::Setup(format!("{side:?}: its files cannot be read")))?;
        self.baselines.retain(|(other, _)| *other != side);
        self.baselines.push((side, possessions));
        Ok(())
    }

    /// Starts what is missing: drivers, subscribers, publishers. Waits until all are connected and
    /// every subscriber has heard from every publisher.
    pub(crate) fn complete(&mut self) -> Result<(), Failure> {
        for side in self.sides() {
            if self.driver(side).is_none() {
                self.start_driver(side)?;
            }
        }
        while self.stage.living(Kind::Subscriber).len() < self.plan.subscribers {
            self.start_subscriber()?;
        }
        for index in self.stage.living(Kind::Publisher).len()..self.plan.publishers.len() {
            self.start_publisher(self.plan.publishers[index])?;
        }
        let (start, limit) = (Instant::now(), self.timing.watchdog());
        for publisher in self.stage.living(Kind::Publisher) {
            let what = format!("a connection of {}", self.stage.actors[publisher].name);
            self.stage.wait(&what, start, limit, |stage| {
                let last = stage.last_of(publisher, &["connected", "disconnected"]);
                (last == Some("connected")).then_some(())
            })?;
        }
        for (subscriber, publisher) in self.pairs() {
            let sender = self.sender_of(publisher);
            let began = self.stage.began;
            let prefix = format!("first {sender} ");
            let left = limit.saturating_sub(start.elapsed());
            let what = format!(
                "a message from {} at {}",
                self.stage.actors[publisher].name, self.stage.actors[subscriber].name
            );
            self.stage.wait(&what, Instant::now(), left, |stage| {
                stage.heard_from(subscriber, &prefix, began).map(|_| ())
            })?;
        }
        Ok(())
    }

    /// Living subscribers and publishers, each with each.
    pub(crate) fn pairs(&self) -> Vec<(usize, usize)> {
        let publishers = self.stage.living(Kind::Publisher);
        let subscribers = self.stage.living(Kind::Subscriber);
        let with_all = |subscriber| {
            publishers
                .iter()
                .map(move |publisher| (subscriber, *publisher))
        };
        subscribers.into_iter().flat_map(with_all).collect()
    }

    /// The number in a publisher's messages, which its name ends with.
    pub(crate) fn sender_of(&self, publisher: usize) -> u32 {
        let name = &self.stage.actors[publisher].name;
        let number = name.rsplit('-').next().and_then(|text| text.parse().ok());
        number.unwrap_or(0)
    }

    fn client_arguments(&self, role: &str, side: Side, channel: &str) -> Vec<String> {
        let ms = |duration: Duration| duration.as_millis().to_string();
        [
            role,
            "--dir",
            &self.directory(side).display().to_string(),
            "--driver-timeout",
            &ms(self.timing.driver),
            "--keepalive",
            &ms(self.timing.keepalive),
            "--channel",
            channel,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn start_subscriber(&mut self) -> Result<(), Failure> {
        let side = self.subscribers_side();
        let port = self.port;
        let channel = match self.plan.layout {
            Layout::Ipc | Layout::SmallStorage => "aeron:ipc".to_owned(),
            Layout::Udp | Layout::Pair | Layout::Lossy => {
                format!("aeron:udp?endpoint=127.0.0.1:{port}")
            }
            Layout::Namespaces => format!("aeron:udp?endpoint=10.99.1.2:{port}"),
            Layout::Fanout => {
                let own = free_port()?;
                format!(
                    "aeron:udp?endpoint=127.0.0.1:{own}|control=127.0.0.1:{port}\
                     |control-mode=dynamic"
                )
            }
        };
        let arguments = self.client_arguments("subscriber", side, &channel);
        let name = format!("subscriber-{}", self.stage.actors.len());
        self.start_client(name, (Kind::Subscriber, side), &arguments)
    }

    fn start_publisher(&mut self, is_exclusive: bool) -> Result<(), Failure> {
        let port = self.port;
        let channel = match (self.plan.layout, &self.proxy) {
            (Layout::Ipc | Layout::SmallStorage, _) => "aeron:ipc".to_owned(),
            (_, Some(proxy)) => format!("aeron:udp?endpoint={}", proxy.address()),
            (Layout::Namespaces, _) => format!("aeron:udp?endpoint=10.99.1.2:{port}"),
            (Layout::Fanout, _) => {
                format!("aeron:udp?control=127.0.0.1:{port}|control-mode=dynamic|fc=min")
            }
            (Layout::Udp | Layout::Pair | Layout::Lossy, _) => {
                format!("aeron:udp?endpoint=127.0.0.1:{port}")
            }
        };
        self.next_sender += 1;
        let sender = self.next_sender;
        let mut arguments = self.client_arguments("publisher", Side::Near, &channel);
        arguments.extend(["--sender".to_owned(), sender.to_string()]);
        if is_exclusive {
            arguments.push("--exclusive".to_owned());
        }
        let name = format!("publisher-{sender}");
        self.start_client(name, (Kind::Publisher, Side::Near), &arguments)
    }

    /// Starts a client that adds and drops things, on streams of its own.
    pub(crate) fn start_adder(&mut self) -> Result<usize, Failure> {
        let channel = match self.plan.layout {
            Layout::Ipc | Layout::SmallStorage => "aeron:ipc".to_owned(),
            Layout::Udp | Layout::Pair | Layout::Lossy | Layout::Fanout | Layout::Namespaces => {
                format!("aeron:udp?endpoint=127.0.0.1:{}", free_port()?)
            }
        };
        let mut arguments = self.client_arguments("adder", Side::Near, &channel);
        arguments.extend(["--stream".to_owned(), OTHER_STREAM.to_string()]);
        let name = format!("adder-{}", self.stage.actors.len());
        self.start_client(name, (Kind::Adder, Side::Near), &arguments)?;
        Ok(self.stage.actors.len() - 1)
    }

    fn start_client(
        &mut self,
        name: String,
        role: (Kind, Side),
        arguments: &[String],
    ) -> Result<(), Failure> {
        let wrapper = self.wrapper(role.1);
        let since = Instant::now();
        let index = self.stage.start(name, role, &wrapper, arguments)?;
        let limit = self.timing.watchdog();
        self.stage.await_words(index, "ready", since, limit)?;
        Ok(())
    }

    /// Waits until a driver holds no more than before it had clients.
    pub(crate) fn check_possessions(&mut self, side: Side) -> Result<(), Failure> {
        let Some(driver) = self.driver(side) else {
            return Ok(());
        };
        let pid = self.stage.actors[driver].process.id();
        let directory = self.directory(side);
        let found = self.baselines.iter().find(|(other, _)| *other == side);
        let before = found.map(|(_, before)| before.clone());
        let mut difference = String::new();
        let (start, limit) = (Instant::now(), self.timing.watchdog());
        let outcome = self.stage.wait("possessions", start, limit, |_| {
            let now = Possessions::of(&directory, pid)?;
            difference = now.compared_with(before.as_ref()?);
            difference.is_empty().then_some(())
        });
        match outcome {
            Err(Failure::Late(_)) => Err(Failure::Leak(format!(
                "the {side:?} driver, {} ms after its last client, has {difference}",
                limit.as_millis()
            ))),
            other => other,
        }
    }
}

/// A UDP port of the loopback interface that is free, and not one that the operating system hands
/// out of itself: whoever restarts on it finds it free again.
pub(crate) fn free_port() -> Result<u16, Failure> {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 10_000).unwrap_or(0);
    for _ in 0..COUNT {
        let next = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(begin);
        let port = FIRST + next % COUNT;
        if UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Failure::Setup("no free port".to_owned()))
}

/// Mounts a small file system at `root`, in this process's own mount namespace.
fn mount_small_storage(root: &Path) -> Result<(), Failure> {
    use nix::mount::{MsFlags, mount};
    let size = format!("size={SMALL_STORAGE}");
    mount(
        Some("tmpfs"),
        root,
        Some("tmpfs"),
        MsFlags::empty(),
        Some(&*size),
    )
    .map_err(|error| Failure::setup("mount", error))
}

/// Unmounts what [`Scene::set`] mounted. Nothing is lost but what the round wrote.
pub(crate) fn unmount_small_storage(root: &Path) {
    // A directory that stays mounted goes with this process's mount namespace.
    let _ = nix::mount::umount2(root, nix::mount::MntFlags::MNT_DETACH);
}
