//! The firewall: a table (`table.rs`).

use super::Rule;
use super::table::{HELP, Row, When};

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.firewall",
    protects: "the firewall's rules",
    instead: "List them (iptables -L, nft list ruleset); change them yourself in a terminal.",
};

pub(super) const ROWS: &[Row] = &[
    Row {
        names: "iptables ip6tables iptables-legacy ip6tables-legacy iptables-nft ip6tables-nft ebtables arptables \
             xtables-multi",
        when: When::SomeUnless(
            "-L -S --list --list-rules -C --check -V --version -h --help -nL -nvL -vnL -Lnv -Ln -nvL -vL -Lv -Lvn \
             -vnxL",
        ),
    },
    Row {
        names: "iptables-restore ip6tables-restore iptables-apply iptables-legacy-restore nft-restore \
             netfilter-persistent shorewall csf ferm ipchains iptables-nft-restore",
        when: When::Unless(HELP),
    },
    Row { names: "nft", when: When::SomeUnless("list monitor describe -h --help -v --version -c --check") },
    Row { names: "ufw", when: When::SomeUnless("status show version --version --help --dry-run") },
    Row {
        names: "firewall-cmd firewall-offline-cmd",
        when: When::Begins(
            "--add --remove --panic-on --set --reload --complete-reload --new --delete --change \
             --runtime-to-permanent --load --direct --reset",
        ),
    },
    Row { names: "ipset", when: When::With("flush destroy -F -X create add del -N -A -D restore swap") },
    Row { names: "pfctl ipfw", when: When::With("-d -F -f flush delete -e -ef add") },
    Row { names: "ip route", when: When::With("flush") },
];
