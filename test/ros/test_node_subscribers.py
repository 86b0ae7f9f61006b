"""Who listens decides what the node works on, whenever they come and go."""

from __future__ import annotations

from harness import Client, new_namespace
from im2hands_ros.msg import HandMeshArray

TOPICS = 3  # that a listening client subscribes to


def until_counted(client: Client, count: int) -> None:
    client.wait_until(lambda: client.count("subscribers") == count, f"{count} subscribers")


def test_a_subscription_that_was_there_before_the_node_counts(start):
    namespace = new_namespace()
    client = Client(namespace)
    start(namespace=namespace)
    client.wait_for_node()
    client.send_frame(1.0)
    client.wait_for_frame(1.0)
    client.close()


def test_work_stops_with_the_last_listener_and_goes_on_with_the_next(start, connect):
    process = start()
    talker = connect(process, listen=False)
    for round_number in range(2):
        listener = Client(process.namespace)
        until_counted(talker, TOPICS)
        stamp = 10.0 + 10 * round_number
        talker.send_frame(stamp)
        talker.spin(0.05)
        listener.wait_for_frame(stamp)
        listener.close()
        until_counted(talker, 0)
        dropped = talker.count("dropped.nobody_subscribed")
        talker.send_frame(stamp + 1)
        talker.wait_until(
            lambda dropped=dropped: talker.count("dropped.nobody_subscribed") == dropped + 1,
            "the count of frames that nobody wanted",
        )
    assert talker.diagnostics()["published"] == "2"


def test_one_of_two_listeners_is_reason_enough(start, connect):
    client = connect(start())
    other = client.node.create_subscription(HandMeshArray, "meshes", lambda _: None, 1)
    until_counted(client, TOPICS + 1)
    client.node.destroy_subscription(other)
    until_counted(client, TOPICS)
    client.send_frame(1.0)
    client.wait_for_frame(1.0)
