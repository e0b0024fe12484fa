//! One number for the whole schema, exchanged in every hello: two builds that could misread each other part at once.

const fn fnv1a(mut hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        hash ^= bytes[i] as u64;
        hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

/// FNV-1a over the source of every file that shapes a message.
pub const FINGERPRINT: u64 = {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    hash = fnv1a(hash, include_str!("actions.rs"));
    hash = fnv1a(hash, include_str!("codec.rs"));
    hash = fnv1a(hash, include_str!("effects.rs"));
    hash = fnv1a(hash, include_str!("label.rs"));
    hash = fnv1a(hash, include_str!("limits.rs"));
    hash = fnv1a(hash, include_str!("talk.rs"));
    hash = fnv1a(hash, include_str!("tool.rs"));
    hash = fnv1a(hash, include_str!("undo.rs"));
    hash = fnv1a(hash, include_str!("edge/mod.rs"));
    hash = fnv1a(hash, include_str!("edge/brain.rs"));
    hash = fnv1a(hash, include_str!("edge/connector.rs"));
    hash = fnv1a(hash, include_str!("edge/control.rs"));
    hash = fnv1a(hash, include_str!("edge/executor.rs"));
    hash = fnv1a(hash, include_str!("edge/local.rs"));
    hash = fnv1a(hash, include_str!("edge/memory.rs"));
    hash = fnv1a(hash, include_str!("edge/model.rs"));
    hash
};
