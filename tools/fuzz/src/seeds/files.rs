//! Texts and files.

use aileron::driver::config::DriverConfig;

use crate::patch::patch_bytes;
use crate::script::push;

/// Every option once with its default, and files as people write them.
pub(crate) fn config() -> Vec<Vec<u8>> {
    let mut texts: Vec<String> = Vec::new();
    let options: Vec<_> = DriverConfig::options().collect();
    for part in options.chunks(12) {
        let lines = part
            .iter()
            .map(|o| format!("{}={}\n", o.property, o.default));
        texts.push(lines.collect());
        let lines = part.iter().map(|o| format!("{}=1\n", o.environment));
        texts.push(lines.collect());
    }
    texts.push("# ours\n\n! theirs\naeron.mtu.length = 8k\naeron.dir=/tmp/x\\\n y\n".to_owned());
    texts.push("aeron.term.buffer.length=1g\naeron.mtu.length=65504\n".to_owned());
    texts.push("aeron.threading.mode=SHARED\naeron.client.liveness.timeout=10s\n".to_owned());
    texts.into_iter().map(String::into_bytes).collect()
}

/// Channels with every parameter.
pub(crate) fn uri() -> Vec<Vec<u8>> {
    [
        "aeron:ipc",
        "aeron:ipc?alias=a|term-length=64k|session-id=7|tags=1,2",
        "aeron:udp?endpoint=10.0.0.1:4000|mtu=1408|term-length=64k|ttl=4|reliable=true",
        "aeron:udp?endpoint=10.0.0.1:4000|interface=10.0.0.0/24|so-sndbuf=128k|so-rcvbuf=64k",
        "aeron:udp?endpoint=224.20.30.41:4001|interface=10.0.0.1|fc=min,g:/2,t:5s",
        "aeron:udp?endpoint=[fd00::1]:4000|interface=[fd00::1]|cc=cubic|rcv-wnd=32k",
        "aeron:udp?control=10.0.0.1:4001|control-mode=dynamic|fc=tagged,g:9/1,t:2s,rrwm:4",
        "aeron:udp?control=10.0.0.1:4001|control-mode=manual|fc=max|eos=false|sparse=true",
        "aeron:udp?control=10.0.0.1:4001|control-mode=response|response-correlation-id=-2",
        "aeron:udp?control-mode=manual|tether=false|rejoin=false|gtag=9|group=true",
        "aeron-spy:aeron:udp?endpoint=10.0.0.1:4000|session-id=tag:5|untethered-linger-timeout=1s",
        "aeron:ipc?init-term-id=1|term-id=2|term-offset=64|term-length=64k|linger=0|pub-wnd=16k",
        "aeron:udp?endpoint=host:0|nak-delay=100us|max-resend=8|stream-id=5|ssc=true",
        "aeron:udp?endpoint=10.0.0.1:4000|media-rcv-ts-offset=reserved|channel-snd-ts-offset=0",
        "aeron:udp?endpoint=10.0.0.1:4000|channel-rcv-ts-offset=8|response-endpoint=10.0.0.1:1",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// Logs that are read and written, changed before or after they were mapped.
pub(crate) fn log() -> Vec<Vec<u8>> {
    let image = |script: &mut Vec<u8>, position: i64| push(script, 2, &position.to_le_bytes());
    let patches: [(u8, usize, &[u8]); 8] = [
        (0, 0, &i32::MAX.to_le_bytes()),
        (0, 32, &(-64_i32).to_le_bytes()),
        (0, 6, &[0]),
        (0, 64 * 1024 - 32, &64_i32.to_le_bytes()),
        (1, 0, &i64::MAX.to_le_bytes()),
        (1, 24, &(1_i32 << 20).to_le_bytes()),
        (1, 32, &(1_i64 << 40).to_le_bytes()),
        (1, 128, &(-1_i64).to_le_bytes()),
    ];
    let mut scripts = Vec::new();
    for is_early in [true, false] {
        for (control, at, value) in patches {
            let mut script = Vec::new();
            let patch = patch_bytes(at, value);
            if is_early {
                push(&mut script, control, &patch);
            }
            image(&mut script, 0);
            push(&mut script, 4, b"");
            push(&mut script, 5, b"");
            if !is_early {
                push(&mut script, control, &patch);
            }
            for how in 0..3 {
                push(&mut script, 3 | how << 3, b"");
            }
            push(&mut script, 6, &[1; 2000]);
            push(&mut script, 7, &[1; 100]);
            scripts.push(script);
        }
    }
    let mut script = Vec::new();
    for position in [0, 32, 7, -1, i64::MAX, 1 << 31] {
        image(&mut script, position);
        push(&mut script, 3, b"");
    }
    scripts.push(script);
    scripts
}

/// Headers that lie, and files that end early.
pub(crate) fn cnc() -> Vec<Vec<u8>> {
    let mut scripts = vec![Vec::new()];
    for at in (0..52).step_by(4) {
        for value in [0, -1, i32::MAX, 1 << 20] {
            let mut script = Vec::new();
            push(&mut script, 0, &patch_bytes(at, &value.to_le_bytes()));
            scripts.push(script);
        }
    }
    for end in [0_u32, 4, 127, 128, 4096] {
        let mut script = Vec::new();
        push(&mut script, 3, &end.to_le_bytes());
        scripts.push(script);
    }
    let mut script = Vec::new();
    for at in [128, 16_640, 17_280, 33_536, 34_000, 100_000] {
        push(&mut script, 1, &patch_bytes(at, &(-1_i64).to_le_bytes()));
        push(
            &mut script,
            2,
            &patch_bytes(at + 8, &(1_i64 << 33).to_le_bytes()),
        );
    }
    scripts.push(script);
    scripts
}
