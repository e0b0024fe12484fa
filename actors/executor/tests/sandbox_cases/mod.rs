//! The cases, by subject.

use std::pin::Pin;

pub mod attacks;
pub mod background;
pub mod basics;
pub mod bench;
pub mod beside;
pub mod confinement;
pub mod edits;
pub mod failures;
pub mod files;
pub mod limits;
pub mod looks;
pub mod reach;
pub mod real_work;
pub mod renames;
pub mod requests;

pub mod seen;
pub mod warm;
pub mod world;

use world::World;

/// What a case says: nothing, or what was not as it should be.
pub type Verdict = Result<(), String>;
type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + 'a>>;
/// A case's name and what it does.
pub type Case = (&'static str, for<'a> fn(&'a World) -> Running<'a>);

/// Pairs of a function's name and the function.
macro_rules! cases {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        vec![$({
            fn case(world: &World) -> Running<'_> {
                Box::pin($module::$name(world))
            }
            (stringify!($name), case as for<'a> fn(&'a World) -> Running<'a>)
        }),+]
    };
}

pub fn all() -> Vec<Case> {
    [confined(), waiting(), in_the_background(), at_work(), attacked()].concat()
}

fn at_work() -> Vec<Case> {
    cases![
        files::what_is_written_is_read_and_listed,
        files::a_file_is_replaced_in_one_step_and_keeps_its_mode,
        files::links_lead_nowhere_outside,
        files::paths_that_lead_out_are_refused_here_too,
        files::what_is_no_file_is_named,
        files::names_are_listed_one_a_line_whatever_they_hold,
        renames::a_directory_of_the_workspace_is_renamed,
        renames::times_attributes_and_open_files_go_along,
        renames::errors_and_flags_are_those_of_rename,
        renames::what_goes_wrong_half_way_leaves_everything_where_it_was,
        renames::links_are_made,
        renames::many_at_once,
        renames::the_listener_and_what_landlock_keeps_stay_out_of_reach,
        reach::whom_a_command_tried_to_reach_is_seen,
        reach::whom_it_reached_by_itself_is_nobodys_business,
        reach::a_command_cannot_confuse_who_watches_it,
        reach::names_are_looked_up_over_tcp_too,
        reach::a_command_that_is_killed_has_said_whom_it_tried_to_reach,
        real_work::git_clones_commits_rebases_and_moves,
        real_work::a_c_project_is_built,
        real_work::a_wheel_is_installed,
        real_work::a_database_with_a_write_ahead_log,
        real_work::archives_copies_and_deletions,
        real_work::editors_save,
        real_work::files_of_several_names_are_edited,
        real_work::npm_installs_over_an_older_tree,
    ]
}

fn waiting() -> Vec<Case> {
    cases![
        warm::nothing_is_used_twice,
        warm::those_that_wait_share_no_namespace,
        warm::one_that_waits_has_only_its_own_descriptors,
        warm::the_commands_process_is_sealed_before_it_is_told_anything,
        warm::one_that_dies_waiting_is_replaced,
        warm::one_whose_init_is_killed_says_so_and_changes_nothing,
        warm::a_hundred_at_once_are_answered_or_told_that_it_is_too_many,
        warm::the_hosts_uptime_is_not_seen,
        warm::a_killed_maker_takes_everything_along,
    ]
}

fn attacked() -> Vec<Case> {
    cases![
        attacks::what_the_first_process_holds_is_nobodys_to_take,
        attacks::a_path_that_changes_while_it_is_read_leads_nowhere_else,
        attacks::a_flood_of_renames_and_connections_is_answered,
        attacks::a_caller_that_dies_while_its_tree_moves_leaves_all_of_it,
        attacks::whoever_moves_a_tree_is_not_killed_meanwhile,
        attacks::trees_in_trees_move_at_once_and_none_onto_itself,
    ]
}

fn in_the_background() -> Vec<Case> {
    cases![
        background::it_runs_while_others_commit_and_is_committed_when_it_ends,
        background::what_was_changed_meanwhile_is_a_conflict_and_stays,
        background::input_is_read_and_its_end_told,
        background::a_stop_kills_all_of_it_and_keeps_nothing,
        background::the_time_limit_and_the_number_of_commands_hold,
        background::a_new_gate_is_told_of_it_and_decides,
        background::a_successor_knows_what_was_committed_and_begins_nothing_again,
        background::a_pseudo_terminal_is_there_when_asked_for,
        background::a_reload_waits_for_it_a_while_and_then_stops_it,
        background::a_server_on_its_loopback_serves_its_own_clients,
    ]
}

fn confined() -> Vec<Case> {
    cases![
        basics::a_command_finds_its_workspace_and_nothing_of_ours,
        basics::standard_input_is_empty,
        basics::exit_statuses_and_signals_are_told,
        basics::output_and_errors_are_apart_and_binary_output_is_kept,
        basics::output_comes_while_the_command_runs,
        basics::what_a_command_writes_stays_and_its_tmp_does_not,
        basics::ordinary_programs_work,
        basics::each_sandbox_is_fresh,
        basics::actions_run_at_once_and_do_not_mix,
        basics::one_too_many_is_refused_by_name,
        basics::cancelling_kills_it_all,
        basics::a_command_that_is_too_long_or_has_a_zero_is_refused,
        limits::a_timeout_kills_daemons_too,
        limits::the_end_of_a_command_ends_its_daemons,
        limits::a_fork_bomb_is_bounded,
        limits::a_flood_of_output_is_cut_to_its_tail,
        limits::memory_is_bounded,
        limits::memory_of_all_processes_together_is_bounded,
        limits::files_descriptors_tmp_and_core_dumps_are_bounded,
        limits::processor_time_is_bounded,
        limits::the_limit_that_a_command_ran_into_is_named,
        confinement::host_files_are_not_there,
        confinement::nothing_but_workspace_and_tmp_can_be_written,
        confinement::devices_are_the_six_harmless_ones,
        confinement::no_capability_in_any_set,
        confinement::the_init_is_out_of_reach,
        confinement::forbidden_calls_are_refused,
        confinement::calls_of_another_architecture_kill,
        confinement::sockets_are_of_three_families_and_reach_nobody,
        confinement::the_hosts_network_is_out_of_reach,
        confinement::the_hosts_abstract_sockets_are_out_of_reach,
        confinement::a_server_on_its_own_loopback_works_inside,
        confinement::setuid_programs_gain_nothing,
        edits::an_edit_changes_what_was_said_and_nothing_else,
        edits::an_edit_follows_no_link_and_takes_no_giant,
        edits::what_is_moved_is_the_same_file_in_another_place,
        edits::what_is_deleted_or_made_is_named_exactly,
        edits::names_that_lead_out_are_refused_here_too,
        looks::a_search_finds_lines_and_says_where,
        looks::a_search_is_bounded_and_a_bad_pattern_is_named,
        looks::no_look_leaves_the_workspace,
        looks::a_text_is_read_in_parts_and_a_name_list_is_cut,
        looks::a_file_is_copied_out_as_it_is,
        seen::a_command_sees_what_it_names_and_changes_it,
        seen::a_command_reaches_nothing_that_it_does_not_name,
        seen::what_can_not_be_named_is_refused_before_the_command_runs,
        requests::an_action_asked_for_twice_is_carried_out_once,
        requests::an_outdated_rehearsal_is_run_again,
        requests::a_rehearsal_that_is_always_outdated_is_told,
        requests::what_is_outdated_when_it_is_settled_is_rehearsed_and_shown_again,
        requests::what_is_always_outdated_when_it_is_settled_is_given_up,
        requests::actions_beyond_the_limit_wait_their_turn,
        requests::an_action_outlives_its_edge,
        requests::cancelling_over_the_edge,
        requests::what_breaks_the_rules_ends_the_edge,
        requests::output_streams_before_the_end_and_a_flood_does_not_delay_it,
        failures::without_user_namespaces_each_action_says_what_to_do,
        failures::without_a_workspace_each_action_names_it,
    ]
}

/// The case fails with the reason unless the condition holds.
pub fn ensure(holds: bool, why: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(why()) }
}
