//! Whether the events of one stream come each once and in order, over all connections that it is read by.

/// A stream's events by their ids, `<stream>-<number>`. Numbers grow by one from each event to the next while one replica writes the
/// stream; the next replica begins with a greater number, so that a gap is right where the client has come back, and only there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    last: Option<(String, u64)>,
    /// Since the last event.
    has_come_back: bool,
    events: u64,
}

impl Order {
    /// The client asks for the stream, whether it gets it or not.
    pub fn connects(&mut self) {
        self.has_come_back = true;
    }

    /// The event with this id has come. Why it should not have.
    pub fn event(&mut self, id: &str) -> Result<(), String> {
        let parsed = id.rsplit_once('-').and_then(|(stream, number)| Some((stream, number.parse().ok()?)));
        let Some((stream, number)) = parsed else { return Err(format!("`{id}` is no event's id")) };
        let found = match &self.last {
            Some((before, _)) if before != stream => Err(format!("event {id} is of another stream than {before}")),
            Some((_, last)) if number <= *last => Err(format!("event {id} came after {last}: doubled")),
            Some((_, last)) if number - last > 1 && !self.has_come_back => {
                Err(format!("event {id} came after {last}: {} are missing", number - last - 1))
            }
            _ => Ok(()),
        };
        (self.last, self.has_come_back) = (Some((stream.to_owned(), number)), false);
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
    fn a_gap_is_right_where_the_client_has_come_back_and_only_there() {
        assert_eq!(wrong(&[None, Some("9-7"), None, Some("9-1000"), Some("9-1001")]), Vec::<String>::new());
        assert_eq!(wrong(&[None, Some("9-7"), Some("9-9")]), ["event 9-9 came after 7: 1 are missing"]);
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
