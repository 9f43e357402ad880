import Foundation
import Testing
import TunnelWire

@testable import Connector

struct TunnelSessionStateMachineTests {
    private let details = ConnectionDetails(uuid: UUID(), locationName: "test01")

    private func served() -> TunnelSession.StateMachine {
        var machine = TunnelSession.StateMachine()
        _ = machine.started()
        _ = machine.controlStreamOpened()
        _ = machine.registered(details, pushesConfiguration: false)
        return machine
    }

    @Test func `a session registers, serves, says goodbye, drains and closes`() {
        var machine = TunnelSession.StateMachine()
        #expect(machine.started() == [.armDeadline(.controlStream)])
        #expect(
            machine.controlStreamOpened() == [.cancelDeadline(.controlStream), .armDeadline(.registration), .register])
        #expect(
            machine.registered(details, pushesConfiguration: true)
                == [
                    .cancelDeadline(.registration), .reportConnected(details), .armDeadline(.configuration),
                    .sendLocalConfiguration,
                ])
        #expect(machine.configurationAnswered() == [.cancelDeadline(.configuration)])
        #expect(
            machine.drainRequested() == [
                .reportUnregistering, .armDeadline(.grace), .armDeadline(.goodbye), .unregister,
            ])
        #expect(machine.unregistered() == [.cancelDeadline(.goodbye), .drainStreams])
        #expect(machine.streamsDrained() == [.cancelDeadlines, .closeLink, .end(.drained)])
        #expect(machine.linkEnded("closed") == [])
    }

    @Test func `a remotely managed tunnel gets no local configuration`() {
        var machine = TunnelSession.StateMachine()
        _ = machine.controlStreamOpened()
        let remote = ConnectionDetails(uuid: UUID(), locationName: "x", tunnelIsRemotelyManaged: true)
        #expect(
            machine.registered(remote, pushesConfiguration: true) == [
                .cancelDeadline(.registration), .reportConnected(remote),
            ])
    }

    @Test func `an edge that opens no control stream is left`() {
        var machine = TunnelSession.StateMachine()
        _ = machine.started()
        #expect(
            machine.deadlinePassed(.controlStream)
                == [.cancelDeadlines, .closeLink, .end(.lost("the edge opened no control stream in time"))])
        #expect(machine.controlStreamOpened() == [])
    }

    @Test func `a refusal closes the link and carries its reason`() {
        var machine = TunnelSession.StateMachine()
        _ = machine.controlStreamOpened()
        let refusal = SessionEnd.Refusal(reason: "EDUPCONN", retryable: true)
        #expect(
            machine.refused(refusal)
                == [
                    .reportRegistrationFailed(isDuplicate: true), .cancelDeadlines, .closeLink, .end(.refused(refusal)),
                ])
    }

    @Test func `a registration that is not answered counts as failed`() {
        var machine = TunnelSession.StateMachine()
        _ = machine.controlStreamOpened()
        #expect(machine.deadlinePassed(.registration).first == .reportRegistrationFailed(isDuplicate: false))
    }

    @Test func `the edge is told of each change, of those that come while it is told, the last`() {
        var machine = TunnelSession.StateMachine()
        #expect(machine.configurationChanged() == [])
        _ = machine.controlStreamOpened()
        _ = machine.registered(details, pushesConfiguration: true)
        for _ in 0..<3 { #expect(machine.configurationChanged() == []) }
        let push: [TunnelSession.StateMachine.Action] = [.armDeadline(.configuration), .sendLocalConfiguration]
        #expect(machine.configurationAnswered() == [.cancelDeadline(.configuration)] + push)
        #expect(machine.configurationAnswered() == [.cancelDeadline(.configuration)])
        #expect(machine.configurationAnswered() == [])
        #expect(machine.configurationChanged() == push)
        #expect(machine.deadlinePassed(.configuration) == [.giveUpLocalConfiguration])
        _ = machine.drainRequested()
        #expect(machine.configurationChanged() == [])
    }

    @Test func `a connection that tells no configuration tells no change of it`() {
        var machine = served()
        #expect(machine.configurationChanged() == [])
    }

    @Test func `the grace period ends a session whose streams do not`() {
        var machine = served()
        _ = machine.drainRequested()
        _ = machine.unregistered()
        #expect(machine.deadlinePassed(.grace) == [.cancelDeadlines, .closeLink, .end(.drained)])
    }

    @Test func `a goodbye that nobody answers leaves the grace period to the streams`() {
        var machine = served()
        _ = machine.drainRequested()
        #expect(machine.takesStreams)
        #expect(machine.deadlinePassed(.goodbye) == [.cancelDeadline(.goodbye), .drainStreams])
        #expect(!machine.takesStreams)
        #expect(machine.deadlinePassed(.goodbye) == [])
        #expect(machine.unregistered() == [])
        #expect(machine.streamsDrained() == [.cancelDeadlines, .closeLink, .end(.drained)])
    }

    @Test func `a link that fell silent sends the next try elsewhere`() {
        var machine = served()
        #expect(
            machine.linkEnded("silent", elsewhere: true).last == .end(.lost("silent", elsewhere: true)))
    }

    @Test func `a link that is lost while serving is lost, while draining it is drained`() {
        var machine = served()
        #expect(machine.linkEnded("silent") == [.cancelDeadlines, .closeLink, .end(.lost("silent"))])
        machine = served()
        _ = machine.drainRequested()
        #expect(machine.linkEnded("closed") == [.cancelDeadlines, .closeLink, .end(.drained)])
    }

    @Test func `an edge that cannot answer the goodbye does not hold it up`() {
        var machine = served()
        _ = machine.drainRequested()
        #expect(machine.controlStreamFailed("gone") == [.cancelDeadline(.goodbye), .drainStreams])
    }

    @Test func `a deadline of an earlier state has no effect`() {
        var machine = served()
        #expect(machine.deadlinePassed(.controlStream) == [])
        #expect(machine.deadlinePassed(.registration) == [])
    }

    @Test func `every state ends when cancelled, once`() {
        var machines = [TunnelSession.StateMachine(), served()]
        var registering = TunnelSession.StateMachine()
        _ = registering.controlStreamOpened()
        machines.append(registering)
        var draining = served()
        _ = draining.drainRequested()
        machines.append(draining)
        for var machine in machines {
            #expect(machine.cancelled().last == .end(.drained))
            #expect(machine.cancelled() == [])
        }
    }
}
