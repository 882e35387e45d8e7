//! Settings that are wrong, each with the option that is named for it, and why.

/// Lines that are refused.
pub(super) struct Mistake {
    /// A property file.
    pub(super) lines: &'static str,
    /// The option at fault.
    pub(super) option: &'static str,
    /// A part of the reason.
    pub(super) reason: &'static str,
}

const fn mistake(lines: &'static str, option: &'static str, reason: &'static str) -> Mistake {
    Mistake {
        lines,
        option,
        reason,
    }
}

const LOSS: &str = "aeron.udp.channel.transport.bindings.loss.args";
const FIXED: &str = "aeron.udp.channel.transport.bindings.fixed.loss.args";
const GAPS: &str = "aeron.udp.channel.transport.bindings.multi.gap.loss.args";
const RESOLVER: &str = "aeron.driver.resolver.name";

/// Beginners' mistakes and contradictions.
pub(super) const CONTRADICTIONS: &[Mistake] = &[
    mistake("nonsense", "nonsense", "malformed line"),
    mistake("=2", "=2", "malformed line"),
    mistake(
        "aeron.mtu.length=1000",
        "aeron.mtu.length",
        "multiple of 32",
    ),
    mistake("aeron.mtu.length=32", "aeron.mtu.length", "64 to 65504"),
    mistake(
        "aeron.term.buffer.length=100k",
        "aeron.term.buffer.length",
        "power of two",
    ),
    mistake(
        "aeron.term.buffer.length=2g",
        "aeron.term.buffer.length",
        "64k to 1g",
    ),
    mistake(
        "aeron.conductor.buffer.length=2m",
        "aeron.conductor.buffer.length",
        "a power of two plus 768",
    ),
    mistake(
        "aeron.timer.interval=1ns",
        "aeron.timer.interval",
        "at least 1us",
    ),
    mistake(
        "aeron.timer.interval=1h",
        "aeron.timer.interval",
        "not a duration",
    ),
    mistake("aeron.max.resend=-3", "aeron.max.resend", "1 to 256"),
    mistake("aeron.max.resend=0x10", "aeron.max.resend", "not a decimal"),
    mistake(
        "aeron.dir.delete.on.start=yes",
        "aeron.dir.delete.on.start",
        "not a boolean",
    ),
    mistake(
        "aeron.sender.cpu.affinity=256",
        "aeron.sender.cpu.affinity",
        "-1 = none",
    ),
    mistake(
        "aeron.receiver.wildcard.port.range=9 5",
        "aeron.receiver.wildcard.port.range",
        "out of range",
    ),
    mistake(
        "aeron.receiver.wildcard.port.range=5",
        "aeron.receiver.wildcard.port.range",
        "not two port numbers",
    ),
    mistake(
        "aeron.debug.send.data.loss.rate=1.5",
        "aeron.debug.send.data.loss.rate",
        "0 to 1",
    ),
    mistake(
        "aeron.driver.resolver.bootstrap.neighbor=a:1,,b:2",
        "aeron.driver.resolver.bootstrap.neighbor",
        "an empty entry",
    ),
    mistake("aeron.event.log=FRAME_IN", "aeron.event.log", "not offered"),
    mistake(
        "aeron.event.log=life,death",
        "aeron.event.log",
        "'death' is no event",
    ),
    mistake(
        "aeron.receiver.idle.strategy=backoff\naeron.receiver.idle.strategy.init.args=1-2-3",
        "aeron.receiver.idle.strategy.init.args",
        "of the form",
    ),
    mistake(
        "aeron.receiver.idle.strategy=sleep-ms\naeron.receiver.idle.strategy.init.args=7us",
        "aeron.receiver.idle.strategy.init.args",
        "whole number of milliseconds",
    ),
    mistake(
        "aeron.receiver.idle.strategy=sleep-ns\naeron.receiver.idle.strategy.init.args=soon",
        "aeron.receiver.idle.strategy.init.args",
        "a duration",
    ),
    mistake(
        "aeron.nak.unicast.delay=3000000s\naeron.nak.unicast.retry.delay.ratio=9000000000000",
        "aeron.nak.unicast.retry.delay.ratio",
        "2^63",
    ),
    mistake(
        "aeron.publication.reserved.session.id.low=5\n\
         aeron.publication.reserved.session.id.high=4",
        "aeron.publication.reserved.session.id.low",
        "must not be above",
    ),
    mistake(
        "aeron.publication.reserved.session.id.low=-2000000000\n\
         aeron.publication.reserved.session.id.high=2000000000",
        "aeron.publication.reserved.session.id.high",
        "must be at most",
    ),
    mistake(
        "aeron.mtu.length=8k\naeron.rcv.initial.window.length=4k",
        "aeron.mtu.length",
        "must not be above aeron.rcv.initial.window.length",
    ),
    mistake(
        "aeron.publication.unblock.timeout=10s\naeron.client.liveness.timeout=10s",
        "aeron.publication.unblock.timeout",
        "must be longer than aeron.client.liveness.timeout",
    ),
    mistake(
        "aeron.client.liveness.timeout=1ms\naeron.timer.interval=1s",
        "aeron.client.liveness.timeout",
        "must be longer than aeron.timer.interval",
    ),
    mistake(
        "aeron.untethered.resting.timeout=1ms\naeron.timer.interval=1s",
        "aeron.untethered.resting.timeout",
        "must be longer",
    ),
    mistake("aeron.socket.so_sndbuf=1k", "aeron.mtu.length", "SO_SNDBUF"),
    mistake(
        "aeron.socket.so_rcvbuf=1k",
        "aeron.rcv.initial.window.length",
        "SO_RCVBUF",
    ),
    mistake(
        "aeron.driver.resolver.name=\naeron.driver.resolver.interface=10.0.0.1:8050",
        RESOLVER,
        "must be set",
    ),
    mistake(
        "aeron.driver.resolver.name=x\naeron.driver.resolver.interface={half",
        "aeron.driver.resolver.interface",
        "of the form",
    ),
    mistake(
        "aeron.name.resolver.supplier=csv_table\naeron.name.resolver.init.args=a,b",
        "aeron.name.resolver.init.args",
        "rows of name",
    ),
    mistake(
        "aeron.counters.buffer.length=500m",
        "aeron.counters.buffer.length",
        "the CnC file would have",
    ),
    mistake(
        "aeron.udp.channel.incoming.interceptors=gain",
        "aeron.udp.channel.incoming.interceptors",
        "unknown",
    ),
    mistake(
        "aeron.udp.channel.transport.bindings.fixed.loss.args=\n\
         aeron.udp.channel.outgoing.interceptors=fixed-loss",
        "aeron.udp.channel.outgoing.interceptors",
        "needs",
    ),
    mistake(
        "aeron.udp.channel.transport.bindings.loss.args=rate",
        LOSS,
        "no '='",
    ),
    mistake(
        "aeron.udp.channel.transport.bindings.loss.args=seed=1",
        LOSS,
        "missing",
    ),
    mistake(
        "aeron.udp.channel.transport.bindings.loss.args=rate=2",
        LOSS,
        "rate 0 to 1",
    ),
    mistake(
        "aeron.udp.channel.transport.bindings.loss.args=rate=0.5|recv-msg-mask=xyz",
        LOSS,
        "not hexadecimal",
    ),
    mistake(
        "aeron.udp.channel.transport.bindings.fixed.loss.args=term-id=x",
        FIXED,
        "not a number",
    ),
    mistake(
        "aeron.udp.channel.transport.bindings.fixed.loss.args=term-id=1|offset=2",
        FIXED,
        "unknown argument",
    ),
    mistake(
        "aeron.udp.channel.transport.bindings.fixed.loss.args=\
         term-id=1|term-offset=-2|length=3",
        FIXED,
        "at least 0",
    ),
    mistake(
        "aeron.udp.channel.transport.bindings.multi.gap.loss.args=\
         term-id=1|gap-radix=64|gap-length=64|total-gaps=1",
        GAPS,
        "below gap-radix",
    ),
];
