//! The peer of the interop tests that is the C implementation of Aeron, driver and client.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command as Process, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aileron_interop::cli::{
    Cli, Command, CommandsArgs, CountersArgs, DriverArgs, PublishArgs, RequestArgs, RespondArgs,
    SubscribeArgs,
};
use aileron_interop::console::{Order, Orders, report};
use aileron_interop::pattern::Checker;
use aileron_interop::peer::{self, Offered, Publisher, Registrar, Subscriber};
use aileron_interop::response::{self, Server};
use clap::Parser as _;
use rusteron_media_driver::{
    Aeron, AeronAvailableImageLogger, AeronCError, AeronCnc, AeronContext, AeronDriver,
    AeronDriverContext, AeronExclusivePublication, AeronFragmentClosureAssembler, AeronHeader,
    AeronImage, AeronOfferError, AeronPublication, AeronPublicationErrorValues, AeronSubscription,
    AeronUnavailableImageLogger, Handler,
};

const ADD_TIMEOUT: Duration = Duration::from_secs(15);

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

/// The C driver takes its settings from the environment, so settings given as arguments go there
/// first, by way of a new start of this program.
fn driver(args: &DriverArgs) -> Result<(), String> {
    if !args.defines.is_empty() {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut again = Process::new(program);
        again.arg("driver").arg("--dir").arg(&args.dir);
        for (name, value) in &args.defines {
            again.env(name.to_uppercase().replace('.', "_"), value);
        }
        return Err(again.exec().to_string());
    }
    run_driver(args).map_err(|e| text(&e))
}

fn run_driver(args: &DriverArgs) -> Result<(), AeronCError> {
    let context = AeronDriverContext::new()?;
    context.set_dir(&c_string(&args.dir.to_string_lossy()))?;
    context.set_dir_delete_on_start(true)?;
    context.set_dir_delete_on_shutdown(true)?;
    let is_terminated = Arc::new(AtomicBool::new(false));
    let terminated = Arc::clone(&is_terminated);
    context.set_driver_termination_hook(Some(move || terminated.store(true, Ordering::Relaxed)))?;
    let driver = AeronDriver::new(&context)?;
    driver.start(true)?;
    let orders = Orders::listen();
    report("READY");
    while orders.next() != Order::Stop && !is_terminated.load(Ordering::Relaxed) {
        driver.main_idle_strategy(driver.main_do_work()?);
    }
    Ok(())
}

fn publish(args: &PublishArgs) -> Result<(), String> {
    let client = connect(&args.stream.dir).map_err(|e| text(&e))?;
    let channel = c_string(&args.stream.channel);
    if args.exclusive {
        let publication = client
            .add_exclusive_publication(&channel, args.stream.stream, ADD_TIMEOUT)
            .map_err(|e| text(&e))?;
        peer::publish(Exclusive(publication), args)
    } else {
        let publication = client
            .add_publication(&channel, args.stream.stream, ADD_TIMEOUT)
            .map_err(|e| text(&e))?;
        peer::publish(Concurrent(publication), args)
    }
}

fn subscribe(args: &SubscribeArgs) -> Result<(), String> {
    let client = connect(&args.stream.dir).map_err(|e| text(&e))?;
    let mut subscribed = subscription(&client, &args.stream.channel, args.stream.stream)?;
    peer::subscribe(&mut subscribed, args)
}

/// A subscription that says when an image goes.
fn subscription(client: &Aeron, channel: &str, stream: i32) -> Result<Subscribed, String> {
    let unavailable = Handler::new(|_: AeronSubscription, image: AeronImage| {
        let session = image
            .get_constants()
            .map_or(0, |constants| constants.session_id());
        let (ended, revoked) = (image.is_end_of_stream(), image.is_publication_revoked());
        report(&format!(
            "UNAVAILABLE session={session} end-of-stream={ended} revoked={revoked}"
        ));
    });
    let subscription = client
        .add_subscription(
            &c_string(channel),
            stream,
            None::<&Handler<AeronAvailableImageLogger>>,
            Some(&unavailable),
            ADD_TIMEOUT,
        )
        .map_err(|e| text(&e))?;
    let assembler = AeronFragmentClosureAssembler::new().map_err(|e| text(&e))?;
    Ok(Subscribed {
        subscription,
        assembler,
    })
}

fn respond(args: &RespondArgs) -> Result<(), String> {
    let client = connect(&args.dir).map_err(|e| text(&e))?;
    let subscribed = subscription(&client, &args.channel, args.stream)?;
    response::respond(&mut Serving { subscribed, client }, args)
}

fn request(args: &RequestArgs) -> Result<(), String> {
    let client = connect(&args.stream.dir).map_err(|e| text(&e))?;
    let response = &args.response;
    let mut subscribed = subscription(
        &client,
        &response.response_channel,
        response.response_stream,
    )?;
    let constants = subscribed
        .subscription
        .get_constants()
        .map_err(|e| text(&e))?;
    let id = constants.registration_id();
    let separator = if args.stream.channel.contains('?') {
        '|'
    } else {
        '?'
    };
    let channel = format!(
        "{}{separator}response-correlation-id={id}",
        args.stream.channel
    );
    let publication = client
        .add_publication(&c_string(&channel), args.stream.stream, ADD_TIMEOUT)
        .map_err(|e| text(&e))?;
    response::request(Concurrent(publication), &mut subscribed, args)
}

fn counters(args: &CountersArgs) -> Result<(), String> {
    AeronCnc::read(&c_string(&args.dir.to_string_lossy()), |cnc| {
        let reader = cnc.counters_reader();
        reader.foreach_counter_fn(|value, id, type_id, _key, label| {
            let registration = reader.counter_registration_id(id).unwrap_or(i64::MIN);
            let owner = reader.counter_owner_id(id).unwrap_or(i64::MIN);
            let reference = reader.counter_reference_id(id).unwrap_or(i64::MIN);
            report(&format!(
                "COUNTER {id}\t{type_id}\t{registration}\t{owner}\t{reference}\t{value}\t{label}"
            ));
        });
    })
    .map_err(|e| text(&e))
}

fn commands(args: &CommandsArgs) -> Result<(), String> {
    let client = connect(&args.dir).map_err(|e| text(&e))?;
    peer::command(&mut Added {
        kept: Vec::new(),
        client,
    });
    Ok(())
}

/// Whatever was added, to be dropped before the client.
struct Added {
    kept: Vec<Box<dyn std::any::Any>>,
    client: Aeron,
}

impl Registrar for Added {
    fn add(&mut self, kind: &str, stream: i32, channel: &str) -> Result<(), (i32, String)> {
        let (client, uri) = (&self.client, c_string(channel));
        let kept: Result<Box<dyn std::any::Any>, AeronCError> = match kind {
            "publication" => client
                .add_publication(&uri, stream, ADD_TIMEOUT)
                .map(|kept| Box::new(kept) as _),
            "exclusive" => client
                .add_exclusive_publication(&uri, stream, ADD_TIMEOUT)
                .map(|kept| Box::new(kept) as _),
            "subscription" => client
                .add_subscription(
                    &uri,
                    stream,
                    None::<&Handler<AeronAvailableImageLogger>>,
                    None::<&Handler<AeronUnavailableImageLogger>>,
                    ADD_TIMEOUT,
                )
                .map(|kept| Box::new(kept) as _),
            "counter" => client
                .add_counter(stream, b"key", channel, ADD_TIMEOUT)
                .map(|kept| Box::new(kept) as _),
            _ => return Err((0, format!("unknown kind {kind}"))),
        };
        match kept {
            Ok(kept) => {
                self.kept.push(kept);
                Ok(())
            }
            Err(error) => {
                let code = Aeron::errcode().unwrap_or_else(|error| error.code);
                Err((-code, text(&error)))
            }
        }
    }

    fn forget(&mut self) {
        self.kept.clear();
    }
}

fn connect(dir: &std::path::Path) -> Result<Aeron, AeronCError> {
    let context = AeronContext::new()?;
    context.set_dir(&c_string(&dir.to_string_lossy()))?;
    context.set_error_handler(Some(|code: i32, message: &str| {
        report(&format!("CLIENT-ERROR {code} {message}"));
    }))?;
    context.set_publication_error_frame_handler(Some(|error: AeronPublicationErrorValues| {
        let (session, code) = (error.session_id(), error.error_code());
        report(&format!("ERROR-FRAME session={session} code={code}"));
    }))?;
    let client = Aeron::new(&context)?;
    client.start()?;
    Ok(client)
}

struct Concurrent(AeronPublication);
struct Exclusive(AeronExclusivePublication);

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
                outcome(self.0.try_claim_owned(message.len()).map(|mut claim| {
                    claim.data().copy_from_slice(message);
                    claim.commit()
                }))
            }

            fn max_payload_length(&self) -> usize {
                self.0.max_payload_length().unwrap_or(0)
            }

            fn session_id(&self) -> i32 {
                self.0
                    .get_constants()
                    .map_or(0, |constants| constants.session_id())
            }

            fn revoke_on_close(&mut self) -> Result<(), String> {
                let revoke: fn(&Self) -> Result<(), String> = $revoke;
                revoke(self)
            }

            fn add_destination(&mut self, channel: &str) -> Result<(), String> {
                self.0
                    .add_destination(&c_string(channel), ADD_TIMEOUT)
                    .map_err(|e| text(&e))
            }

            fn close(self) -> Result<(), String> {
                if self.0.is_closed() {
                    // By the end of its client; nobody would tell of the end of the publication.
                    return Ok(());
                }
                let (closed, told) = std::sync::mpsc::channel();
                let notify = Handler::new(move || closed.send(()).unwrap_or_default());
                self.0
                    .close_with_handler(Some(&notify))
                    .map_err(|e| text(&e))?;
                told.recv_timeout(ADD_TIMEOUT)
                    .map_err(|e| format!("close: {e}"))
            }
        }
    };
}

publisher!(Concurrent, |_| Err("is concurrent".to_owned()));
publisher!(Exclusive, |publication| {
    publication.0.revoke_on_close();
    Ok(())
});

fn outcome<T>(result: Result<T, AeronOfferError>) -> Offered {
    match result {
        Ok(_) => Offered::Sent,
        Err(
            AeronOfferError::BackPressured
            | AeronOfferError::AdminAction
            | AeronOfferError::NotConnected,
        ) => Offered::Retry,
        Err(other) => Offered::Failed(format!("{other:?}")),
    }
}

struct Subscribed {
    subscription: AeronSubscription,
    assembler: AeronFragmentClosureAssembler,
}

impl Subscriber for Subscribed {
    fn poll(&mut self, checker: &mut Checker, limit: usize) -> Result<usize, String> {
        let mut checked = (checker, Ok(()));
        let take = |(checker, outcome): &mut (&mut Checker, Result<(), String>),
                    message: &[u8],
                    _: AeronHeader| {
            if outcome.is_ok() {
                *outcome = checker.accept(message);
            }
        };
        let fragments = self
            .assembler
            .poll(&self.subscription, &mut checked, take, limit)
            .map_err(|e| text(&e))?;
        checked.1?;
        Ok(usize::try_from(fragments).unwrap_or(0))
    }

    fn is_connected(&self) -> bool {
        self.subscription.is_connected()
    }

    fn resolved_endpoint(&self) -> Result<Option<String>, String> {
        let endpoint = self
            .subscription
            .resolved_endpoint_as_string(128)
            .map_err(|e| text(&e))?;
        Ok(Some(endpoint).filter(|endpoint| !endpoint.is_empty()))
    }

    fn add_destination(&mut self, channel: &str) -> Result<(), String> {
        self.subscription
            .add_destination(&c_string(channel), ADD_TIMEOUT)
            .map_err(|e| text(&e))
    }

    fn reject_images(&mut self, reason: &str) -> Result<usize, String> {
        let reason = c_string(reason);
        let mut outcomes = Vec::new();
        self.subscription
            .for_each_image(|image| outcomes.push(image.reject(&reason)));
        for outcome in &outcomes {
            outcome.as_ref().map_err(text)?;
        }
        Ok(outcomes.len())
    }
}

struct Serving {
    subscribed: Subscribed,
    client: Aeron,
}

impl Server for Serving {
    type Publication = Exclusive;

    fn images(&self) -> Vec<(i32, i64)> {
        let mut images = Vec::new();
        self.subscribed.subscription.for_each_image(|image| {
            if let Ok(constants) = image.get_constants() {
                images.push((constants.session_id(), constants.correlation_id()));
            }
        });
        images
    }

    fn poll(&mut self, limit: usize, take: &mut dyn FnMut(i32, &[u8])) -> Result<usize, String> {
        let mut take = take;
        let hand_over =
            |take: &mut &mut dyn FnMut(i32, &[u8]), request: &[u8], header: AeronHeader| {
                take(header.session_id().unwrap_or(0), request);
            };
        let Subscribed {
            subscription,
            assembler,
        } = &mut self.subscribed;
        let fragments = assembler
            .poll(subscription, &mut take, hand_over, limit)
            .map_err(|e| text(&e))?;
        Ok(usize::try_from(fragments).unwrap_or(0))
    }

    fn publish(&mut self, channel: &str, stream: i32) -> Result<Exclusive, String> {
        self.client
            .add_exclusive_publication(&c_string(channel), stream, ADD_TIMEOUT)
            .map(Exclusive)
            .map_err(|e| text(&e))
    }

    fn resolved_endpoint(&self) -> Result<Option<String>, String> {
        self.subscribed.resolved_endpoint()
    }
}

fn c_string(text: &str) -> CString {
    CString::new(text).expect("arguments hold no zero byte")
}

fn text(error: &AeronCError) -> String {
    error.to_string().replace('\n', " | ")
}
