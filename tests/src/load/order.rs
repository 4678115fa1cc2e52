//! Whether the events of one stream come each once and in order, over all connections that it is read by.

/// A stream's events by their ids, `<stream>-<number>`. Numbers grow by one from each event to the next; a replica that takes a
/// stream over uses up one number, so that a gap may be as wide as there were attempts to connect in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    last: Option<(String, u64)>,
    /// Attempts to connect since the last event.
    attempts: u64,
    events: u64,
}

impl Order {
    /// The client asks for the stream, whether it gets it or not.
    pub fn connects(&mut self) {
        self.attempts += 1;
    }

    /// The event with this id has come. Why it should not have.
    pub fn event(&mut self, id: &str) -> Result<(), String> {
        let parsed = id.rsplit_once('-').and_then(|(stream, number)| Some((stream, number.parse().ok()?)));
        let Some((stream, number)) = parsed else { return Err(format!("`{id}` is no event's id")) };
        let found = match &self.last {
            Some((before, _)) if before != stream => Err(format!("event {id} is of another stream than {before}")),
            Some((_, last)) if number <= *last => Err(format!("event {id} came after {last}: doubled")),
            Some((_, last)) if number - last - 1 > self.attempts => {
                let (missing, attempts) = (number - last - 1, self.attempts);
                Err(format!("event {id} came after {last}: {missing} are missing, at {attempts} attempts to connect"))
            }
            _ => Ok(()),
        };
        (self.last, self.attempts) = (Some((stream.to_owned(), number)), 0);
        self.events += 1;
        found
    }

    /// How many there were.
    pub fn events(&self) -> u64 {
        self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with these events; `None` is an attempt to connect.
    fn wrong(events: &[Option<&str>]) -> Vec<String> {
        let (mut order, mut wrong) = (Order::default(), Vec::new());
        for event in events {
            if let Some(id) = event {
                wrong.extend(order.event(id).err());
            } else {
                order.connects();
            }
        }
        wrong
    }

    #[test]
    fn events_in_order_are_right_and_the_first_may_have_any_number() {
        assert_eq!(wrong(&[None, Some("9-7"), Some("9-8"), Some("9-9")]), Vec::<String>::new());
    }

    #[test]
    fn an_attempt_to_connect_may_use_up_one_number() {
        assert_eq!(wrong(&[None, Some("9-7"), None, Some("9-9"), None, None, Some("9-12")]), Vec::<String>::new());
        let missing = "event 9-10 came after 7: 2 are missing, at 1 attempts to connect";
        assert_eq!(wrong(&[None, Some("9-7"), None, Some("9-10")]), [missing]);
    }

    #[test]
    fn a_gap_within_a_connection_is_a_lost_event() {
        let missing = "event 9-9 came after 7: 1 are missing, at 0 attempts to connect";
        assert_eq!(wrong(&[None, Some("9-7"), Some("9-9")]), [missing]);
    }

    #[test]
    fn an_event_that_came_before_is_doubled_also_over_connections() {
        let doubled = "event 9-7 came after 8: doubled";
        assert_eq!(wrong(&[None, Some("9-7"), Some("9-8"), None, Some("9-7"), Some("9-8")]), [doubled]);
    }

    #[test]
    fn an_event_of_another_stream_is_wrong_and_so_is_what_is_no_id() {
        assert_eq!(wrong(&[Some("9-7"), Some("8-8")]), ["event 8-8 is of another stream than 9"]);
        assert_eq!(wrong(&[Some("nine")]), ["`nine` is no event's id"]);
    }
}
