import EdgeTransport
import Testing

@testable import Connector

struct ConnectionSlotTests {
    private func refusal(_ reason: String, retryable: Bool = false, after: Duration? = nil) -> SessionEnd {
        .refused(.init(reason: reason, retryable: retryable, retryAfter: after))
    }

    @Test func `a tunnel that never registered gives up after three final refusals`() {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        for _ in 0..<2 {
            guard
                case .wait = slot.sessionEnded(
                    refusal("Unauthorized: wrong secret"), wasRegistered: false, using: &random)
            else {
                Issue.record("gave up too early")
                return
            }
        }
        #expect(
            slot.sessionEnded(refusal("Unauthorized: wrong secret"), wasRegistered: false, using: &random)
                == .giveUp(reason: "Unauthorized: wrong secret"))
    }

    @Test func `a tunnel that was registered keeps trying`() {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        slot.registered()
        for _ in 0..<20 {
            guard case .wait = slot.sessionEnded(refusal("Unauthorized"), wasRegistered: false, using: &random) else {
                Issue.record("gave up")
                return
            }
        }
    }

    @Test func `a duplicate connection goes elsewhere`() {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        guard
            case .wait(_, let elsewhere, _) = slot.sessionEnded(
                refusal("EDUPCONN"), wasRegistered: false, using: &random)
        else {
            Issue.record("gave up")
            return
        }
        #expect(elsewhere)
    }

    @Test func `a failed dial or an edge that does nothing is left, a lost link stays`() {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        guard case .wait(_, true, _) = slot.dialFailed(LinkError(.dialFailed, "refused"), using: &random) else {
            Issue.record("stayed")
            return
        }
        guard case .wait(_, false, "gone") = slot.sessionEnded(.lost("gone"), wasRegistered: true, using: &random)
        else {
            Issue.record("left")
            return
        }
        guard case .wait(_, true, "mute") = slot.sessionEnded(.lost("mute"), wasRegistered: false, using: &random)
        else {
            Issue.record("stayed with an edge that does nothing")
            return
        }
        #expect(slot.previousAttempts == 3)
        slot.registered()
        #expect(slot.previousAttempts == 0)
    }

    @Test func `a drained session ends the slot`() {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        #expect(slot.sessionEnded(.drained, wasRegistered: false, using: &random) == .finish)
    }
}
