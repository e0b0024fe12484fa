//! Who is there, by what the kernel says of their user id. So far there is one principal, the owner.

use crate::config::Config;

/// Number of the owner: slot of their executor, memory and model.
pub const OWNER: u32 = 1;
/// Slot of the gate's own memory instance.
pub const HOUSE: u32 = 0;

/// Somebody on whose behalf Chela acts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// Their number: the slot of what is theirs.
    pub number: u32,
    /// Their name.
    pub name: String,
}

/// Somebody on the other end of the local socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Caller {
    /// The owner.
    Owner(Principal),
    /// Root, who is not the owner: sees how everything is (root could read it all anyway), acts for nobody.
    Operator,
}

/// Who `uid` is; `None` is a stranger.
pub fn caller(config: &Config, uid: u32) -> Option<Caller> {
    if uid == config.owner.uid {
        return Some(Caller::Owner(owner(config)));
    }
    (uid == 0).then_some(Caller::Operator)
}

/// All principals.
pub fn all(config: &Config) -> Vec<Principal> {
    vec![owner(config)]
}

fn owner(config: &Config) -> Principal {
    Principal { number: OWNER, name: config.owner.name.clone() }
}

/// The principal for whom `caller` may act when they name `wanted`, or why they may not.
pub fn acting(caller: &Caller, wanted: Option<&str>) -> Result<Principal, String> {
    match (caller, wanted) {
        (Caller::Owner(principal), None) => Ok(principal.clone()),
        (Caller::Owner(principal), Some(name)) if name == principal.name => Ok(principal.clone()),
        (Caller::Owner(principal), Some(name)) => Err(format!(
            "there is no principal {name:?}, and acting for another takes their consent; leave --as out to act as \
             {:?}",
            principal.name
        )),
        (Caller::Operator, _) => {
            Err("root is not the owner here and acts for nobody: use the owner's account, or make root the owner in \
             etc/gate/gate.toml"
                .to_owned())
        }
    }
}

/// What a stranger is told.
pub fn stranger(uid: u32) -> String {
    format!(
        "user id {uid} is nobody here: the owner is named in etc/gate/gate.toml (`[owner] uid`), which root can change; \
         then `systemctl reload chelad`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Owner;

    fn config(uid: u32) -> Config {
        Config { idle_s: 1, owner: Owner { uid, name: "ada".to_owned() } }
    }

    #[test]
    fn the_owner_is_the_owner_root_looks_and_the_rest_is_nobody() {
        assert!(matches!(caller(&config(1000), 1000), Some(Caller::Owner(p)) if p.number == OWNER));
        assert_eq!(caller(&config(1000), 0), Some(Caller::Operator));
        assert_eq!(caller(&config(1000), 1001), None);
        assert!(matches!(caller(&config(0), 0), Some(Caller::Owner(_))));
    }

    #[test]
    fn nobody_acts_for_another() {
        let owner = caller(&config(5), 5).unwrap();
        assert!(acting(&owner, None).is_ok());
        assert!(acting(&owner, Some("ada")).is_ok());
        assert!(acting(&owner, Some("bob")).is_err());
        assert!(acting(&Caller::Operator, None).is_err());
        assert!(acting(&Caller::Operator, Some("ada")).is_err());
    }
}
