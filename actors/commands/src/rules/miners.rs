//! Crypto-miners: by name (`table.rs`), and by what they are told.

use super::table::{Row, When};
use super::{Call, Found, Rule};

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.miner",
    protects: "the machine's processors from mining for somebody",
    instead: "Nothing: mine elsewhere, yourself.",
};

pub(super) const ROWS: &[Row] = &[Row {
    names: "xmrig xmr-stak xmr-stak-cpu cpuminer minerd ccminer ethminer t-rex nbminer lolminer lolMiner \
             phoenixminer PhoenixMiner cgminer bfgminer cpuminer-multi xmrig-notls teamredminer gminer srbminer \
             SRBMiner-MULTI nanominer claymore sgminer nheqminer kdevtmpfsi kinsing xmrigDaemon xmr-node-proxy \
             cryptonight verthashminer wildrig bzminer rigel monero-wallet-cli-mine cpuminer-opt cpuminer-avx2 \
             xmrMiner",
    when: When::Always,
}];

/// Whatever the program is called, it is told of a pool.
pub(super) fn look(call: &Call<'_>) -> Found {
    if matches!(call.name, "echo" | "grep" | "rg" | "printf" | "git" | "sed" | "awk") {
        return Found::Nothing;
    }
    const TOLD: [&str; 9] = [
        "stratum+tcp:",
        "stratum+ssl:",
        "stratum2+tcp:",
        "stratum+tls:",
        "minexmr",
        "supportxmr",
        "moneroocean",
        "nanopool.org",
        "--donate-level",
    ];
    let is_named = ROWS.iter().any(|row| row.names.split_whitespace().any(|name| name == call.name));
    let told = is_named || call.args.iter().any(|arg| TOLD.iter().any(|word| arg.contains(word)));
    if told { Found::Against(&RULE) } else { Found::Nothing }
}
