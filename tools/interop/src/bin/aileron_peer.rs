//! The peer of the interop tests that is this implementation, driver and client.

#![forbid(unsafe_code)]

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use aileron::client::{
    AddError, Client, ExclusivePublication, OfferError, Publication, Subscription,
};
use aileron::{Context, DriverConfig, FragmentAssembler, MediaDriver, StreamId};
use aileron_interop::cli::{
    Cli, Command, CommandsArgs, CountersArgs, DriverArgs, PublishArgs, RequestArgs, RespondArgs,
    SubscribeArgs,
};
use aileron_interop::console::{Orders, report};
use aileron_interop::pattern::Checker;
use aileron_interop::peer::{self, Offered, Publisher, Registrar, Subscriber};
use aileron_interop::response::{self, Server};
use clap::Parser as _;

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Driver(args) => driver(&args),
        Command::Publish(args) => publish(&args),
        Command::Subscribe(args) => subscribe(&args),
        Command::Counters(args) => counters(&args),
        Command::Commands(args) => commands(&args),
        Command::Respond(args) => respond(&args),
        Command::Request(args) => request(&args),
        other => Err(format!("not offered: {other:?}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            report(&format!("FAILED {why}"));
            ExitCode::FAILURE
        }
    }
}

fn driver(args: &DriverArgs) -> Result<(), String> {
    let mut config = DriverConfig::builder()
        .dir(&args.dir)
        .dir_delete_on_start(true)
        .dir_delete_on_shutdown(true);
    for (name, value) in &args.defines {
        config = config.define(&format!("{name}={value}"));
    }
    let driver = MediaDriver::launch(config.build().map_err(text)?).map_err(text)?;
    report("READY");
    Orders::listen().wait_for_stop();
    if driver.has_failed() {
        return Err("an agent of the driver has panicked".to_owned());
    }
    driver.close();
    Ok(())
}

fn publish(args: &PublishArgs) -> Result<(), String> {
    let client = connect(&args.stream.dir)?;
    let (channel, stream_id) = (args.stream.channel.as_str(), StreamId(args.stream.stream));
    if args.exclusive {
        let publication = client
            .add_exclusive_publication(channel, stream_id)
            .map_err(text)?;
        peer::publish(Exclusive(publication), args)
    } else {
        let publication = client.add_publication(channel, stream_id).map_err(text)?;
        peer::publish(Concurrent(publication), args)
    }
}

fn subscribe(args: &SubscribeArgs) -> Result<(), String> {
    let client = connect(&args.stream.dir)?;
    let mut subscribed = subscription(&client, &args.stream.channel, args.stream.stream)?;
    peer::subscribe(&mut subscribed, args)
}

/// A subscription that says when an image goes.
fn subscription(client: &Client, channel: &str, stream: i32) -> Result<Subscribed, String> {
    let subscription = client
        .subscription(channel, StreamId(stream))
        .on_unavailable_image(|image| {
            let (session, ended) = (image.session_id().0, image.is_end_of_stream());
            let revoked = image.is_publication_revoked();
            report(&format!(
                "UNAVAILABLE session={session} end-of-stream={ended} revoked={revoked}"
            ));
        })
        .add()
        .map_err(text)?;
    Ok(Subscribed {
        subscription,
        assembler: FragmentAssembler::new(),
    })
}

fn respond(args: &RespondArgs) -> Result<(), String> {
    let client = connect(&args.dir)?;
    let subscribed = subscription(&client, &args.channel, args.stream)?;
    response::respond(&mut Serving { subscribed, client }, args)
}

fn request(args: &RequestArgs) -> Result<(), String> {
    let client = connect(&args.stream.dir)?;
    let response = &args.response;
    let mut subscribed = subscription(
        &client,
        &response.response_channel,
        response.response_stream,
    )?;
    let id = subscribed.subscription.registration_id();
    let separator = if args.stream.channel.contains('?') {
        '|'
    } else {
        '?'
    };
    let channel = format!(
        "{}{separator}response-correlation-id={}",
        args.stream.channel, id.0
    );
    let publication = client
        .add_publication(channel, StreamId(args.stream.stream))
        .map_err(text)?;
    response::request(Concurrent(publication), &mut subscribed, args)
}

fn counters(args: &CountersArgs) -> Result<(), String> {
    let cnc = aileron::runtime::map_cnc(&args.dir, true).map_err(text)?;
    cnc.counters().for_each(|counter| {
        report(&format!(
            "COUNTER {}\t{}\t{}\t{}\t{}\t{}\t{}",
            counter.id.0,
            counter.type_id,
            counter.registration_id.0,
            counter.owner_id,
            counter.reference_id,
            counter.value,
            counter.label
        ));
    });
    Ok(())
}

fn commands(args: &CommandsArgs) -> Result<(), String> {
    let client = connect(&args.dir)?;
    peer::command(&mut Added {
        client,
        kept: Vec::new(),
    });
    Ok(())
}

/// Whatever was added, to be dropped.
struct Added {
    client: Client,
    kept: Vec<Box<dyn std::any::Any>>,
}

impl Registrar for Added {
    fn add(&mut self, kind: &str, stream: i32, channel: &str) -> Result<(), (i32, String)> {
        let (client, stream_id) = (&self.client, StreamId(stream));
        let kept: Result<Box<dyn std::any::Any>, AddError> = match kind {
            "publication" => client
                .add_publication(channel, stream_id)
                .map(|kept| Box::new(kept) as _),
            "exclusive" => client
                .add_exclusive_publication(channel, stream_id)
                .map(|kept| Box::new(kept) as _),
            "subscription" => client
                .add_subscription(channel, stream_id)
                .map(|kept| Box::new(kept) as _),
            "counter" => client
                .add_counter(stream, b"key", channel)
                .map(|kept| Box::new(kept) as _),
            _ => return Err((0, format!("unknown kind {kind}"))),
        };
        match kept {
            Ok(kept) => {
                self.kept.push(kept);
                Ok(())
            }
            Err(AddError::Registration(error)) => Err((error.raw_code, error.message)),
            Err(other) => Err((0, other.to_string())),
        }
    }

    fn forget(&mut self) {
        self.kept.clear();
    }
}

fn connect(dir: &Path) -> Result<Client, String> {
    Context::new()
        .dir(dir)
        .on_error(|error| report(&format!("CLIENT-ERROR {error}")))
        .configure(|config| {
            config.on_publication_error(|error| {
                let (session, code) = (error.session_id.0, error.code.to_wire());
                report(&format!("ERROR-FRAME session={session} code={code}"));
            })
        })
        .connect()
        .map_err(text)
}

struct Concurrent(Publication);
struct Exclusive(ExclusivePublication);

macro_rules! publisher {
    ($name:ty, $revoke:expr) => {
        impl Publisher for $name {
            fn is_connected(&self) -> bool {
                self.0.is_connected()
            }

            fn offer(&mut self, message: &[u8]) -> Offered {
                outcome(self.0.offer(message))
            }

            fn claim(&mut self, message: &[u8]) -> Offered {
                outcome(self.0.try_claim(message.len()).map(|mut claim| {
                    claim.copy_from_slice(message);
                    claim.commit()
                }))
            }

            fn max_payload_length(&self) -> usize {
                self.0.max_payload_length()
            }

            fn session_id(&self) -> i32 {
                self.0.session_id().0
            }

            fn revoke_on_close(&mut self) -> Result<(), String> {
                let revoke: fn(&mut Self) -> Result<(), String> = $revoke;
                revoke(self)
            }

            fn add_destination(&mut self, channel: &str) -> Result<(), String> {
                self.0.add_destination(channel).map(drop).map_err(text)
            }

            fn close(self) -> Result<(), String> {
                // Dropping it closes it, and the client tells the driver at once.
                drop(self);
                Ok(())
            }
        }
    };
}

publisher!(Concurrent, |_| Err("is concurrent".to_owned()));
publisher!(Exclusive, |publication| {
    publication.0.revoke_on_close(true);
    Ok(())
});

fn outcome<T>(result: Result<T, OfferError>) -> Offered {
    match result {
        Ok(_) => Offered::Sent,
        Err(error) if error.is_retryable() => Offered::Retry,
        Err(error) => Offered::Failed(error.to_string()),
    }
}

struct Subscribed {
    subscription: Subscription,
    assembler: FragmentAssembler,
}

impl Subscriber for Subscribed {
    fn poll(&mut self, checker: &mut Checker, limit: usize) -> Result<usize, String> {
        let mut outcome = Ok(());
        let fragments =
            self.subscription
                .poll_assembled(&mut self.assembler, limit, |message, _| {
                    if outcome.is_ok() {
                        outcome = checker.accept(message);
                    }
                });
        outcome.map(|()| fragments)
    }

    fn is_connected(&self) -> bool {
        self.subscription.is_connected()
    }

    fn resolved_endpoint(&self) -> Result<Option<String>, String> {
        Ok(self
            .subscription
            .resolved_endpoint()
            .map(|address| address.to_string()))
    }

    fn add_destination(&mut self, channel: &str) -> Result<(), String> {
        self.subscription
            .add_destination(channel)
            .map(drop)
            .map_err(text)
    }

    fn reject_images(&mut self, reason: &str) -> Result<usize, String> {
        let images = self.subscription.images();
        for image in images.iter() {
            image.reject(reason).map_err(text)?;
        }
        Ok(images.len())
    }
}

struct Serving {
    subscribed: Subscribed,
    client: Client,
}

impl Server for Serving {
    type Publication = Exclusive;

    fn images(&self) -> Vec<(i32, i64)> {
        let images = self.subscribed.subscription.images();
        images
            .iter()
            .map(|image| (image.session_id().0, image.correlation_id().0))
            .collect()
    }

    fn poll(&mut self, limit: usize, take: &mut dyn FnMut(i32, &[u8])) -> Result<usize, String> {
        let Subscribed {
            subscription,
            assembler,
        } = &mut self.subscribed;
        Ok(
            subscription.poll_assembled(assembler, limit, |request, header| {
                take(header.session_id().0, request);
            }),
        )
    }

    fn publish(&mut self, channel: &str, stream: i32) -> Result<Exclusive, String> {
        self.client
            .add_exclusive_publication(channel, StreamId(stream))
            .map(Exclusive)
            .map_err(text)
    }

    fn resolved_endpoint(&self) -> Result<Option<String>, String> {
        self.subscribed.resolved_endpoint()
    }
}

fn text(error: impl Display) -> String {
    error.to_string().replace('\n', " | ")
}
