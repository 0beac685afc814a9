//! What the causes of the telephone network mean (ITU-T Q.850, as RFC 3326 carries them): a table for people.

/// Cause values with words; those that say no more than that a call ended are left out.
const TABLE: &[(u16, &str)] = &[
    (1, "the number is not in use"),
    (2, "no route to that network"),
    (3, "no route to the number"),
    (5, "wrong trunk prefix"),
    (6, "the line can't be used"),
    (17, "busy"),
    (18, "the called side does not respond"),
    (19, "nobody answers"),
    (20, "the subscriber is absent"),
    (21, "the call was rejected"),
    (22, "the number has changed"),
    (23, "redirected to another number"),
    (25, "routing error in the exchange"),
    (26, "answered elsewhere"),
    (27, "the called line is out of order"),
    (28, "the number is incomplete or not valid"),
    (29, "the facility was rejected"),
    (34, "no line is free"),
    (38, "the telephone network is out of order"),
    (41, "a temporary failure in the telephone network"),
    (42, "the exchange is congested"),
    (43, "information was discarded on the way"),
    (44, "the requested line is not free"),
    (47, "the telephone network lacks resources"),
    (50, "the facility is not subscribed"),
    (55, "incoming calls are barred"),
    (57, "this kind of call is not allowed"),
    (58, "this kind of call is not possible now"),
    (63, "the service is not available"),
    (65, "this kind of call is not possible there"),
    (79, "the service is not possible there"),
    (87, "the caller is not a member of the closed group"),
    (88, "the called side can't take this kind of call"),
    (95, "a message was not valid"),
    (97, "a message was not understood"),
    (99, "a part of a message was not understood"),
    (102, "a timer in the telephone network ran out"),
    (111, "a protocol error in the telephone network"),
    (127, "an error between two telephone networks"),
];

/// The words for a cause value; `None`: it explains nothing (16, 31), or is unknown.
pub fn words(cause: u16) -> Option<&'static str> {
    let place = TABLE.binary_search_by_key(&cause, |(cause, _)| *cause).ok()?;
    TABLE.get(place).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_says_nothing_where_there_is_nothing_to_say() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(words(17), Some("busy"));
        assert_eq!((words(16), words(31), words(0), words(999)), (None, None, None, None));
    }
}
