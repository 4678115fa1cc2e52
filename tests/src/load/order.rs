//! Whether the events of one stream come each once and in order, over all connections that it is read by.

/// A stream's events by their ids, `<stream>-<number>`. Numbers grow by one from each event to the next, whichever replica writes
/// the stream. A gap is right where the client has come back without saying what it has seen, and only there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    last: Option<(String, u64)>,
    /// Without a `Last-Event-ID`, since the last event.
    has_begun_anew: bool,
    events: u64,
}

impl Order {
    /// The client asks for the stream, whether it gets it or not: what came after an event, or whatever comes.
    pub fn connects(&mut self, after_an_event: bool) {
        self.has_begun_anew |= !after_an_event;
    }

    /// The event with this id has come. Why it should not have.
    pub fn event(&mut self, id: &str) -> Result<(), String> {
        let parsed = id.rsplit_once('-').and_then(|(stream, number)| Some((stream, number.parse().ok()?)));
        let Some((stream, number)) = parsed else { return Err(format!("`{id}` is no event's id")) };
        let found = match &self.last {
            Some((before, _)) if before != stream => Err(format!("event {id} is of another stream than {before}")),
            Some((_, last)) if number <= *last => Err(format!("event {id} came after {last}: doubled")),
            Some((_, last)) if number - last > 1 && !self.has_begun_anew => {
                Err(format!("event {id} came after {last}: {} are missing", number - last - 1))
            }
            _ => Ok(()),
        };
        (self.last, self.has_begun_anew) = (Some((stream.to_owned(), number)), false);
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

    enum Seen {
        Begins,
        ComesBack,
        Event(&'static str),
    }

    use Seen::{Begins, ComesBack, Event};

    /// What is wrong with it.
    fn wrong(all: &[Seen]) -> Vec<String> {
        let (mut order, mut wrong) = (Order::default(), Vec::new());
        for seen in all {
            match seen {
                Begins => order.connects(false),
                ComesBack => order.connects(true),
                Event(id) => wrong.extend(order.event(id).err()),
            }
        }
        wrong
    }

    #[test]
    fn events_in_order_are_right_over_connections_and_the_first_may_have_any_number() {
        assert_eq!(wrong(&[Begins, Event("9-7"), Event("9-8"), ComesBack, Event("9-9")]), Vec::<String>::new());
    }

    #[test]
    fn a_gap_is_right_where_the_client_began_anew_and_only_there() {
        assert_eq!(wrong(&[Begins, Event("9-7"), Begins, Event("9-1000"), Event("9-1001")]), Vec::<String>::new());
        let missing = "event 9-9 came after 7: 1 are missing";
        assert_eq!(wrong(&[Begins, Event("9-7"), Event("9-9")]), [missing]);
        assert_eq!(wrong(&[Begins, Event("9-7"), ComesBack, Event("9-9")]), [missing]);
        // Trying again takes nothing back.
        assert_eq!(wrong(&[Begins, Event("9-7"), Begins, ComesBack, Event("9-9")]), Vec::<String>::new());
    }

    #[test]
    fn an_event_that_came_before_is_doubled_also_over_connections() {
        let doubled = "event 9-7 came after 8: doubled";
        assert_eq!(wrong(&[Begins, Event("9-7"), Event("9-8"), ComesBack, Event("9-7"), Event("9-8")]), [doubled]);
    }

    #[test]
    fn an_event_of_another_stream_is_wrong_and_so_is_what_is_no_id() {
        assert_eq!(wrong(&[Event("9-7"), Event("8-8")]), ["event 8-8 is of another stream than 9"]);
        assert_eq!(wrong(&[Event("nine")]), ["`nine` is no event's id"]);
    }
}
