//! The launcher keeps the capabilities of its row, and gives up the rest for itself and for all it will ever start.

use caps::{CapSet, Capability, CapsHashSet};
use roles::Role;

use crate::errors::{Context, Failure, failure};
use crate::sys;

/// Cuts every set down to the table's row.
pub fn keep_listed() -> Result<(), Failure> {
    let held = caps::read(None, CapSet::Permitted).map_err(|e| caps_failure("permitted", &e))?;
    let mut kept = CapsHashSet::new();
    for listed in Role::Launcher.row().capabilities {
        let parsed = listed.name.parse::<Capability>();
        let capability = parsed.map_err(|e| caps_failure(listed.name, &e))?;
        if !held.contains(&capability) {
            let missing = failure("keep the capability", listed.name, "chelad does not have it");
            return Err(missing.or("give it to the service or container that starts chelad"));
        }
        kept.insert(capability);
    }
    sys::drop_bounding(|number| kept.iter().any(|c| c.index() == number)).step("cut down", "bounding set")?;
    let none = CapsHashSet::new();
    // The effective set first: the permitted one may not become smaller than it.
    let sets = [
        (CapSet::Ambient, &none),
        (CapSet::Inheritable, &none),
        (CapSet::Effective, &kept),
        (CapSet::Permitted, &kept),
    ];
    for (set, value) in sets {
        caps::set(None, set, value).map_err(|e| caps_failure("its own sets", &e))?;
    }
    Ok(())
}

fn caps_failure(object: &str, cause: &caps::errors::CapsError) -> Failure {
    failure("cut down capabilities", object, cause)
}
