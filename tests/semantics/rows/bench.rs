//! What rows about refused and accepted channels share.

use aileron::cnc::SystemCounter;

use crate::peer::{Client, Publication, Refusal, Subscription};
use crate::world::{STREAM, World};

/// No code that a row insists on.
pub(crate) const ANY: i32 = -1;

/// A world with one client, and how it is refused.
pub(crate) struct Bench {
    pub(crate) client: Client,
    pub(crate) world: World,
}

impl Bench {
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        let world = World::start(settings);
        Self {
            client: world.client(),
            world,
        }
    }

    pub(crate) fn publish(&self, uri: &str, stream: i32) -> Publication {
        self.client
            .add_publication(uri, stream)
            .unwrap_or_else(|refusal| panic!("{uri}: {refusal:?}"))
    }

    pub(crate) fn subscribe(&self, uri: &str, stream: i32) -> Subscription {
        self.client
            .add_subscription(uri, stream)
            .unwrap_or_else(|refusal| panic!("{uri}: {refusal:?}"))
    }

    /// A command is refused with this code, counted, and recorded with what the client was told.
    pub(crate) fn refuses<T>(
        &self,
        code: i32,
        words: &[&str],
        command: impl FnOnce() -> Result<T, Refusal>,
    ) {
        let errors = || self.world.system_counter(SystemCounter::Errors);
        let before = errors();
        match command() {
            Ok(_) => panic!("accepted, instead of {words:?}"),
            Err(refusal) => {
                let code = if code == ANY { refusal.code } else { code };
                refusal.assert(code, words);
            }
        }
        assert_eq!(errors(), before + 1, "{words:?}");
        self.world.await_error(words[0]);
    }

    pub(crate) fn refuses_publication(&self, uri: &str, code: i32, words: &[&str]) {
        self.refuses(code, words, || self.client.add_publication(uri, STREAM));
    }

    pub(crate) fn refuses_subscription(&self, uri: &str, code: i32, words: &[&str]) {
        self.refuses(code, words, || self.client.add_subscription(uri, STREAM));
    }
}
