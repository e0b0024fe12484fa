//! The default policies: what each is good for, and what holds of all of them.

use chela_policy::{Effects, FILES, Integrity, Outcome, Policies, Question, Role, Secrecy};
use proptest::prelude::*;

const ROLES: [Role; 4] = [Role::Owner, Role::Trusted, Role::Guest, Role::Blocked];
const TRUSTS: [Integrity; 3] = [Integrity::Owner, Integrity::Member, Integrity::Untrusted];
const SECRECIES: [Secrecy; 3] = [Secrecy::Public, Secrecy::Private, Secrecy::Secret];
const TOOLS: [&str; 16] = [
    "read_file",
    "get_file",
    "search_files",
    "list_files",
    "poll",
    "stop",
    "run_command",
    "write_file",
    "put_file",
    "edit_file",
    "move",
    "delete",
    "make_directory",
    "undo",
    "start",
    "input",
];

fn plain() -> Question<'static> {
    Question {
        principal: 1,
        name: "ada",
        role: Role::Owner,
        tool: "run_command",
        owner: 1,
        integrity: Integrity::Owner,
        secrecy: Secrecy::Private,
        hour: 12,
        effects: None,
    }
}

/// A question that each policy is there for, and the answer that it gives.
fn purposes() -> Vec<(&'static str, Question<'static>, Outcome)> {
    let small = Effects { undoable: true, ..Effects::default() };
    let did = |effects| Question { effects: Some(effects), ..plain() };
    vec![
        ("roles.owner", plain(), Outcome::Allowed),
        ("roles.trusted", Question { role: Role::Trusted, ..plain() }, Outcome::Allowed),
        ("workspace.own", Question { owner: 2, ..plain() }, Outcome::Refused),
        ("roles.blocked", Question { role: Role::Blocked, ..plain() }, Outcome::Refused),
        ("effects.irreversible", did(Effects { undoable: false, ..small }), Outcome::Asked),
        ("effects.deletions", did(Effects { deleted: 5001, ..small }), Outcome::Asked),
        (
            "effects.startup",
            Question { integrity: Integrity::Untrusted, ..did(Effects { startup: 1, ..small }) },
            Outcome::Asked,
        ),
    ]
}

/// Fails for a set in which one of the default policies is missing: `./x test --mutants policies`.
fn holds(policies: &Policies) -> Result<(), String> {
    for (name, question, outcome) in purposes() {
        let answer = policies.ask(&question);
        if (answer.outcome, answer.rule.as_str()) != (outcome, name) {
            return Err(format!("{name}: {answer:?}"));
        }
    }
    Ok(())
}

#[test]
fn each_policy_answers_what_it_is_there_for() {
    let policies = Policies::built_in().expect("the built-in policies");
    assert_eq!(holds(&policies), Ok(()));
    let limit = Question { effects: Some(Effects { deleted: 5000, undoable: true, ..Effects::default() }), ..plain() };
    assert_eq!(policies.ask(&limit).outcome, Outcome::Allowed);
    assert_eq!(policies.ask(&Question { role: Role::Guest, ..plain() }).rule, "policy.nothing-permits");
}

#[test]
fn without_any_one_of_them_that_test_fails() {
    let policies = Policies::built_in().expect("the built-in policies");
    let names = policies.names();
    assert_eq!(names.len(), purposes().len(), "{names:?}");
    for name in names {
        let fewer = policies.without(&name).expect("a policy of that name");
        assert!(holds(&fewer).is_err(), "nothing fails without {name}");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_and_nothing_is_loaded() {
    let file =
        |text: &str| Policies::load(&[("a.cedar".to_owned(), text.to_owned())]).map(|_| ()).map_err(|e| e.to_string());
    for (text, says) in [
        ("permit (principal, action, resource", "a.cedar"),
        ("permit (principal, action, resource);", "@id"),
        ("@id(\"a\") permit (principal, action, resource); @id(\"a\") permit (principal, action, resource);", "(a)"),
        ("@id(\"a\") permit (principal, action, resource) when { context.moon };", "moon"),
        ("@id(\"a\") permit (principal, action == Action::\"fly\", resource);", "fly"),
        ("@id(\"a\") permit (principal, action, resource) when { context.hour == \"x\" };", "chela policy schema"),
        ("@id(\"a\") permit (principal == ?principal, action, resource);", "templates"),
    ] {
        let problem = file(text).expect_err(text);
        assert!(problem.contains(says), "{text}: {problem}");
    }
    assert_eq!(file("@id(\"a\") permit (principal, action, resource) when { context.hour < 20 };"), Ok(()));
}

#[test]
fn each_default_file_begins_with_a_comment_and_the_digest_is_of_all() {
    assert!(FILES.iter().all(|(_, text)| text.starts_with("// ")));
    let (all, fewer) = (Policies::built_in().expect("all"), Policies::load(&[]).expect("none"));
    assert_ne!(all.digest(), fewer.digest());
    assert_eq!(fewer.ask(&plain()).outcome, Outcome::Refused);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// A lower role, less trust and more effects never allow more; every answer has a rule and a reason.
    #[test]
    fn less_right_never_allows_more(
        (role, trust, secrecy, tool) in (0..4_usize, 0..3_usize, 0..3_usize, 0..16_usize),
        (owner, hour) in (1..3_u32, 0..24_u8),
        counts in prop::option::of((0..9000_u64, 0..9000_u64, 0..9000_u64, any::<bool>(), 0..2_u64)),
    ) {
        let policies = Policies::built_in().expect("the built-in policies");
        let effects = counts.map(|(created, changed, deleted, undoable, startup)| Effects {
            created, changed, deleted, undoable, startup, hosts: 0,
        });
        let ask = |role: usize, trust: usize, effects| policies.ask(&Question {
            role: ROLES[role], integrity: TRUSTS[trust], secrecy: SECRECIES[secrecy], tool: TOOLS[tool], owner, hour, effects,
            ..plain()
        });
        let answer = ask(role, trust, effects);
        prop_assert!(!answer.rule.is_empty() && !answer.reason.is_empty());
        prop_assert!(answer.outcome == Outcome::Allowed || !answer.remedy.is_empty());
        for lower in role..4 {
            prop_assert!(ask(lower, trust, effects).outcome <= answer.outcome);
        }
        for less in trust..3 {
            prop_assert!(ask(role, less, effects).outcome <= answer.outcome);
        }
        if let Some(effects) = effects {
            let more = Effects { deleted: effects.deleted * 2, startup: effects.startup + 1, undoable: false, ..effects };
            prop_assert!(ask(role, trust, Some(more)).outcome <= answer.outcome);
        }
    }
}
