import AccessClient
import Glibc
import NIOCore
import Testing
import TunnelConfig

@testable import CloudflaredCommands
@testable import ServiceHost

/// Sockets as systemd gives them, and the forwarders that they are for.
@Suite struct SocketAssignmentTests {
    /// A socket that listens at a port of 127.0.0.1, closed at the end of the test.
    private final class Given {
        let socket: InheritedSocket

        init(_ name: String) throws {
            let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            try #require(descriptor >= 0 && listen(descriptor, 1) == 0)
            socket = try InheritedSocket(descriptor: descriptor, name: name)
        }

        deinit { close(socket.descriptor) }

        var port: Int { socket.address.port ?? 0 }
    }

    private func plan(_ hostname: String, _ listen: String?) throws -> ForwarderConfiguration {
        ForwarderConfiguration(
            hostname: try AccessHostname.parse(hostname), listen: try listen.map { try ListenAddress.parse($0) },
            environment: [:])
    }

    @Test func `a socket goes to the forwarder at its address, another to the one with its name`() throws {
        let (first, second) = (try Given("two.test"), try Given("two.test"))
        var plans = [
            try plan("one.test", "0.0.0.0:\(first.port)"), try plan("two.test", "localhost:1"),
            try plan("three.test", "127.0.0.1:\(first.port)"),
        ]
        try SocketAssignment.assign([first.socket, second.socket], to: &plans)
        #expect(plans[0].socket?.descriptor == first.socket.descriptor)
        #expect(plans[1].socket?.descriptor == second.socket.descriptor)
        #expect(plans[2].socket == nil)
    }

    @Test func `localhost is where the loopback addresses are`() throws {
        let given = try Given("x")
        var plans = [try plan("one.test", "localhost:\(given.port)")]
        // It listens on every address.
        try SocketAssignment.assign([given.socket], to: &plans)
        #expect(plans[0].socket == nil)
    }

    @Test func `without an address the only socket is taken, and several are too many`() throws {
        let (first, second) = (try Given("a"), try Given("b"))
        var plans = [try plan("one.test", nil)]
        try SocketAssignment.assign([], to: &plans, takingOnly: true)
        #expect(plans[0].socket == nil)
        try SocketAssignment.assign([first.socket], to: &plans, takingOnly: true)
        #expect(plans[0].socket?.descriptor == first.socket.descriptor)
        #expect(throws: CommandError.self) {
            try SocketAssignment.assign([first.socket, second.socket], to: &plans, takingOnly: true)
        }
    }

    @Test func `what is no listening stream socket is refused with the remedy`() throws {
        let datagrams = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(datagrams) }
        let deaf = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(deaf) }
        for descriptor in [datagrams, deaf, STDIN_FILENO, 4000] {
            #expect {
                try InheritedSocket(descriptor: descriptor, name: "x")
            } throws: { "\($0)".contains("ListenStream=") }
        }
    }
}
