"""A user's mistakes that the type checkers must find: one error on each marked line."""

from eventbraid import Alias, Event, Input, Output, Parameter, Producer, Switch


class Wrong(Producer):
    number = Input[int]("number")
    text = Output[str]()
    cut = Parameter(1.0)

    async def produce(self, event: Event) -> None:
        event[self.text] = event[self.number]  # error
        event[self.number] = 1  # error
        event[self.text]  # error
        self.cut.upper()  # error
        event.random(self.cut)  # error
        event.random(self).normalise()  # error


Switch(cpu=Wrong)  # error
Switch(cpu=Alias("other"))  # error
Alias(Wrong())  # error
