//! Firmware and the way the machine starts: a table (`table.rs`).

use super::Rule;
use super::table::{HELP, Row, When};

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.firmware",
    protects: "firmware, boot loader and the images the machine starts from",
    instead: "Look at the state (fwupdmgr get-devices, efibootmgr); change it yourself in a terminal.",
};

pub(super) const ROWS: &[Row] = &[
    Row {
        names: "flashrom grub-install grub2-install update-grub update-grub2 update-initramfs dracut mkinitcpio lilo \
             fwupdate afuefi efivar-write zipl extlinux kernel-install grub-set-default grub-reboot afulnx_64 fpt",
        when: When::Unless(HELP),
    },
    Row { names: "grub-mkconfig grub2-mkconfig", when: When::With("-o --output") },
    Row {
        names: "fwupdmgr fwupdtool",
        when: When::With(
            "install update upgrade downgrade reinstall activate install-blob local-install modify-config \
             clear-results switch-branch unlock",
        ),
    },
    Row { names: "efibootmgr", when: When::SomeUnless("-v --verbose -h --help -V") },
    Row {
        names: "bootctl",
        when: When::With("install update remove set-default set-oneshot unlink cleanup random-seed"),
    },
    Row {
        names: "mokutil",
        when: When::With(
            "--import -i --delete --reset --disable-validation --enable-validation --password --clear-password \
             --set-sbat-policy",
        ),
    },
    Row {
        names: "ipmitool racadm",
        when: When::With("power hpm raw reset fwum serveraction racreset user fwupdate racresetcfg"),
    },
    Row {
        names: "setpci wrmsr efivar nvram rpi-eeprom-update ethtool sb_update efi-updatevar",
        when: When::With("-a -w --write -E -f --flash -A"),
    },
    Row {
        names: "wrmsr efi-updatevar rpi-eeprom-config grubby",
        when: When::SomeUnless("--info --default-kernel --help --info=ALL"),
    },
];
