//! The peer of the interop tests that is the C implementation of Aeron, driver and client.

#![forbid(unsafe_code)]

use std::ffi::CString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command as Process, ExitCode};
use std::time::Duration;

use aileron_interop::cli::{Cli, Command, CountersArgs, DriverArgs, PublishArgs, SubscribeArgs};
use aileron_interop::console::{Order, Orders, report};
use aileron_interop::pattern::Checker;
use aileron_interop::peer::{self, Offered, Publisher, Subscriber};
use clap::Parser as _;
use rusteron_media_driver::{
    Aeron, AeronAvailableImageLogger, AeronCError, AeronCnc, AeronContext, AeronDriver,
    AeronDriverContext, AeronExclusivePublication, AeronFragmentClosureAssembler, AeronHeader,
    AeronImage, AeronOfferError, AeronPublication, AeronPublicationErrorValues, AeronSubscription,
    Handler,
};

const ADD_TIMEOUT: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Driver(args) => driver(&args),
        Command::Publish(args) => publish(&args),
        Command::Subscribe(args) => subscribe(&args),
        Command::Counters(args) => counters(&args),
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
    let driver = AeronDriver::new(&context)?;
    driver.start(true)?;
    let orders = Orders::listen();
    report("READY");
    while orders.next() != Order::Stop {
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
        peer::publish(&mut Exclusive(publication), args)
    } else {
        let publication = client
            .add_publication(&channel, args.stream.stream, ADD_TIMEOUT)
            .map_err(|e| text(&e))?;
        peer::publish(&mut Concurrent(publication), args)
    }
}

fn subscribe(args: &SubscribeArgs) -> Result<(), String> {
    let client = connect(&args.stream.dir).map_err(|e| text(&e))?;
    let unavailable = Handler::new(|_: AeronSubscription, image: AeronImage| {
        let session = image
            .get_constants()
            .map_or(0, |constants| constants.session_id());
        let ended = image.is_end_of_stream();
        report(&format!(
            "UNAVAILABLE session={session} end-of-stream={ended}"
        ));
    });
    let subscription = client
        .add_subscription(
            &c_string(&args.stream.channel),
            args.stream.stream,
            None::<&Handler<AeronAvailableImageLogger>>,
            Some(&unavailable),
            ADD_TIMEOUT,
        )
        .map_err(|e| text(&e))?;
    let assembler = AeronFragmentClosureAssembler::new().map_err(|e| text(&e))?;
    peer::subscribe(
        &mut Subscribed {
            subscription,
            assembler,
        },
        args,
    )
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
    ($name:ty) => {
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
        }
    };
}

publisher!(Concurrent);
publisher!(Exclusive);

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

    fn resolved_endpoint(&self) -> Result<Option<String>, String> {
        let endpoint = self
            .subscription
            .resolved_endpoint_as_string(128)
            .map_err(|e| text(&e))?;
        Ok(Some(endpoint).filter(|endpoint| !endpoint.is_empty()))
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

fn c_string(text: &str) -> CString {
    CString::new(text).expect("arguments hold no zero byte")
}

fn text(error: &AeronCError) -> String {
    error.to_string().replace('\n', " | ")
}
