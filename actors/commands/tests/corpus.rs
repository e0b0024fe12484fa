//! The corpora: what must be refused, with the family that refuses it; what must pass; what must be asked about.

use chela_commands::{Verdict, judge};

const REFUSED: &str = include_str!("../corpus/refused.txt");
const ORDINARY: &str = include_str!("../corpus/ordinary.txt");
const NOT_UNDERSTOOD: &str = include_str!("../corpus/not-understood.txt");

fn lines(corpus: &str) -> Vec<String> {
    corpus.lines().filter(|line| !line.starts_with('#')).map(|line| line.replace('⏎', "\n")).collect()
}

#[test]
fn what_destroys_is_refused_by_its_family() {
    let mut wrong = Vec::new();
    let corpus = lines(REFUSED);
    assert!(corpus.len() >= 300, "{}", corpus.len());
    for line in corpus {
        let (family, command) = line.split_once('\t').expect("a family and a command");
        match judge(command) {
            Verdict::Destructive { rule, .. } if rule.id == format!("hard.{family}") => {}
            other => wrong.push(format!("{family}: {command}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn ordinary_work_passes_unasked() {
    let corpus = lines(ORDINARY);
    assert!(corpus.len() >= 300, "{}", corpus.len());
    let wrong: Vec<String> = corpus
        .iter()
        .map(|command| (command, judge(command)))
        .filter(|(_, verdict)| *verdict != Verdict::Ordinary)
        .map(|(command, verdict)| format!("{command}: {verdict:?}"))
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_cannot_be_told_is_asked_about() {
    let wrong: Vec<String> = lines(NOT_UNDERSTOOD)
        .iter()
        .map(|command| (command, judge(command)))
        .filter(|(_, verdict)| !matches!(verdict, Verdict::NotUnderstood { .. }))
        .map(|(command, verdict)| format!("{command}: {verdict:?}"))
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
