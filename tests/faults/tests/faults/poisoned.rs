//! A message that crashes a role: tried once more, then set aside, so that it can't wear out anybody's restarts.

use faults::Scene;

#[test]
fn a_turn_that_crashes_a_role_twice_is_set_aside_and_its_sender_is_told() {
    let scene = Scene::start("poisoned", "").unwrap();
    for set_aside in 1..=3 {
        let (answer, well) = scene.ask("die").unwrap().answer().unwrap();
        assert!(!well, "{answer:#}");
        let words = answer["reply"].as_str().unwrap();
        assert!(words.contains("model") && words.contains("set aside"), "{words}");
        let status = scene.home.chela_json(&["status"]).unwrap();
        assert_eq!(status["turns_quarantined"], set_aside, "{status:#}");
    }
    let (answer, well) = scene.ask("say: the next one is answered").unwrap().answer().unwrap();
    assert!(well && answer["reply"] == "the next one is answered", "{answer:#}");
    scene.wait_whole().unwrap();
    let ends: Vec<_> = scene.audited("turn.ended").iter().map(|body| body["end"].clone()).collect();
    assert_eq!(ends, ["quarantined", "quarantined", "quarantined", "answered"]);
    scene.stop().unwrap();
}
