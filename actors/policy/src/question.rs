//! A question to the policies, and their answer.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, Response,
    RestrictedExpression,
};

use crate::set::Policies;

/// What a principal is here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Everything, and the settings.
    Owner,
    /// Most tools.
    Trusted,
    /// Talk only.
    Guest,
    /// Nothing.
    Blocked,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Trusted => "trusted",
            Role::Guest => "guest",
            Role::Blocked => "blocked",
        }
    }
}

/// How far what a turn was given can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Integrity {
    /// The owner wrote it.
    Owner,
    /// A member of the household wrote it.
    Member,
    /// Anybody may have.
    Untrusted,
}

/// Who may see what a turn was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Secrecy {
    /// Anybody.
    Public,
    /// The principal.
    Private,
    /// Nobody outside.
    Secret,
}

/// What a rehearsal has shown, counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Effects {
    /// Files, directories and links that are created.
    pub created: u64,
    /// Those that are changed.
    pub changed: u64,
    /// Those that are deleted.
    pub deleted: u64,
    /// All of it can be taken back.
    pub undoable: bool,
    /// Those among them that are run without being asked.
    pub startup: u64,
    /// Hosts that it tried to reach.
    pub hosts: u64,
}

/// A question: may this principal do that?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Question<'a> {
    /// Number of the principal.
    pub principal: u32,
    /// Their name.
    pub name: &'a str,
    /// Their role.
    pub role: Role,
    /// The tool.
    pub tool: &'a str,
    /// Number of the principal whose workspace it is.
    pub owner: u32,
    /// Trust in what the turn was given.
    pub integrity: Integrity,
    /// Secrecy of what it was given.
    pub secrecy: Secrecy,
    /// Hour of the day, UTC.
    pub hour: u8,
    /// What it did, once that is known.
    pub effects: Option<Effects>,
}

/// The answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// No.
    Refused,
    /// A person has to say.
    Asked,
    /// Yes.
    Allowed,
}

/// The answer with its reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// What.
    pub outcome: Outcome,
    /// The policy that decided, by its name.
    pub rule: String,
    /// Why, in words for a person.
    pub reason: String,
    /// What the person may do about it; empty when it is allowed.
    pub remedy: String,
}

impl Policies {
    /// Asks. Whatever goes wrong on the way is a refusal that says so.
    pub fn ask(&self, question: &Question<'_>) -> Answer {
        match self.asked(question) {
            Ok(answer) => answer,
            Err(problem) => Answer {
                outcome: Outcome::Refused,
                rule: "policy.error".to_owned(),
                reason: format!("the policies could not be asked: {problem}"),
                remedy: "chela policy check FILE says what is wrong with a file.".to_owned(),
            },
        }
    }

    fn asked(&self, question: &Question<'_>) -> Result<Answer, String> {
        let entities = self.entities(question)?;
        let plain = self.authorized(question, &entities, false)?;
        if plain.decision() == Decision::Allow {
            return Ok(self.answer(Outcome::Allowed, &plain));
        }
        let approved = self.authorized(question, &entities, true)?;
        let outcome = if approved.decision() == Decision::Allow { Outcome::Asked } else { Outcome::Refused };
        // With approval only what holds against it is left: that is what refuses.
        let decided = if outcome == Outcome::Asked { &plain } else { &approved };
        Ok(self.answer(outcome, decided))
    }

    fn authorized(&self, question: &Question<'_>, entities: &Entities, approved: bool) -> Result<Response, String> {
        let context = context(question, approved)?;
        let (principal, resource) = (uid("Principal", question.principal)?, uid("Workspace", question.owner)?);
        let action = uid("Action", question.tool)?;
        let request = Request::new(principal, action, resource, context, Some(&self.schema)).map_err(text)?;
        Ok(Authorizer::new().is_authorized(&request, &self.set, entities))
    }

    fn entities(&self, question: &Question<'_>) -> Result<Entities, String> {
        let name = RestrictedExpression::new_string(question.name.to_owned());
        let owner = RestrictedExpression::new_entity_uid(uid("Principal", question.owner)?);
        let role = uid("Role", question.role.name())?;
        let one = |uid, key: &str, value, parents| {
            Entity::new(uid, HashMap::from([(key.to_owned(), value)]), parents).map_err(text)
        };
        let principal = one(uid("Principal", question.principal)?, "name", name, HashSet::from([role]))?;
        let workspace = one(uid("Workspace", question.owner)?, "owner", owner, HashSet::new())?;
        Entities::from_entities([principal, workspace], Some(&self.schema)).map_err(text)
    }

    /// Names the policy that decided: the first by name.
    fn answer(&self, outcome: Outcome, response: &Response) -> Answer {
        let diagnostics = response.diagnostics();
        if let Some(error) = diagnostics.errors().next() {
            return Answer {
                outcome: Outcome::Refused,
                rule: "policy.error".to_owned(),
                reason: error.to_string(),
                remedy: "Put the policy right, then reload chelad.".to_owned(),
            };
        }
        let Some(id) = diagnostics.reason().min_by_key(|id| id.to_string()) else {
            return Answer {
                outcome,
                rule: "policy.nothing-permits".to_owned(),
                reason: "nothing permits it".to_owned(),
                remedy: "The owner can give a role or a policy that does.".to_owned(),
            };
        };
        let said = |key| self.set.policy(id).and_then(|policy| policy.annotation(key)).unwrap_or("").to_owned();
        let remedy = if outcome == Outcome::Allowed { String::new() } else { said("remedy") };
        Answer { outcome, rule: id.to_string(), reason: said("reason"), remedy }
    }
}

fn uid(kind: &str, id: impl ToString) -> Result<EntityUid, String> {
    let kind: EntityTypeName = kind.parse().map_err(|_| format!("{kind} is no type"))?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id.to_string())))
}

fn context(question: &Question<'_>, approved: bool) -> Result<Context, String> {
    let integrity = match question.integrity {
        Integrity::Owner => "owner",
        Integrity::Member => "member",
        Integrity::Untrusted => "untrusted",
    };
    let secrecy = match question.secrecy {
        Secrecy::Public => "public",
        Secrecy::Private => "private",
        Secrecy::Secret => "secret",
    };
    let mut pairs = vec![
        ("integrity".to_owned(), RestrictedExpression::new_string(integrity.to_owned())),
        ("confidentiality".to_owned(), RestrictedExpression::new_string(secrecy.to_owned())),
        ("hour".to_owned(), RestrictedExpression::new_long(question.hour.into())),
        ("approved".to_owned(), RestrictedExpression::new_bool(approved)),
    ];
    if let Some(effects) = &question.effects {
        let count = |n: u64| RestrictedExpression::new_long(i64::try_from(n).unwrap_or(i64::MAX));
        let record = RestrictedExpression::new_record([
            ("created".to_owned(), count(effects.created)),
            ("changed".to_owned(), count(effects.changed)),
            ("deleted".to_owned(), count(effects.deleted)),
            ("undoable".to_owned(), RestrictedExpression::new_bool(effects.undoable)),
            ("startup".to_owned(), count(effects.startup)),
            ("hosts".to_owned(), count(effects.hosts)),
        ]);
        pairs.push(("effects".to_owned(), record.map_err(text)?));
    }
    Context::from_pairs(pairs).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
