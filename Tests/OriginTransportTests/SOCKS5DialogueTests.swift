import NIOCore
import TestKit
import Testing
import TunnelConfig

@testable import OriginTransport

@Suite struct SOCKS5DialogueTests {
    private func run(_ bytes: [UInt8], piece: Int = .max) -> [SOCKS5Dialogue.DialogueAction] {
        var dialogue = SOCKS5Dialogue()
        var buffer = ByteBuffer()
        var actions: [SOCKS5Dialogue.DialogueAction] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            buffer.writeBytes(rest.prefix(piece))
            rest = rest.dropFirst(piece)
            while true {
                let action = dialogue.received(&buffer)
                guard action != .none else { break }
                actions.append(action)
            }
        }
        return actions
    }

    private static let name = [UInt8(9)] + Array("desk.test".utf8)

    @Test(arguments: [
        ([1, 10, 0, 0, 7, 0x0D, 0x3D], "10.0.0.7:3389"),
        ([3] + name + [0, 22], "desk.test:22"),
        ([4] + Array(repeating: 0, count: 15) + [1, 1, 0xBB], "[::1]:443"),
    ])
    func `every kind of address is read, in one piece or byte by byte`(request: [UInt8], destination: String) throws {
        let expected: [SOCKS5Dialogue.DialogueAction] = [
            .send(ByteBuffer(bytes: [5, 0])), .connect(try JumpDestination.parse(destination)),
        ]
        #expect(run([5, 2, 2, 0, 5, 1, 0] + request) == expected)
        #expect(run([5, 2, 2, 0, 5, 1, 0] + request, piece: 1) == expected)
    }

    @Test(arguments: [
        ([5, 1, 2], [5, 0xFF]),
        ([5, 0], [5, 0xFF]),
        ([5, 1, 0, 5, 2, 0, 1, 10, 0, 0, 7, 0, 22], [5, 7, 0, 1, 0, 0, 0, 0, 0, 0]),
        ([5, 1, 0, 5, 1, 0, 9], [5, 8, 0, 1, 0, 0, 0, 0, 0, 0]),
        // No name, no port, and what only the system's resolver takes for an address.
        ([5, 1, 0, 5, 1, 0, 3, 0, 0, 22], [5, 4, 0, 1, 0, 0, 0, 0, 0, 0]),
        ([5, 1, 0, 5, 1, 0, 1, 10, 0, 0, 7, 0, 0], [5, 4, 0, 1, 0, 0, 0, 0, 0, 0]),
        ([5, 1, 0, 5, 1, 0, 3, 5, 49, 50, 55, 46, 49, 0, 22], [5, 4, 0, 1, 0, 0, 0, 0, 0, 0]),
    ])
    func `what cannot be served is answered with its code`(bytes: [UInt8], lastWord: [UInt8]) {
        #expect(run(bytes).last == .refuse(ByteBuffer(bytes: lastWord)))
    }

    @Test func `another protocol is hung up on, and random bytes never trap`() {
        #expect(run(Array("GET / HTTP/1.1\r\n".utf8)) == [.hangUp])
        #expect(run([5, 1, 0, 4, 1, 0, 1]).last == .hangUp)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let head: [UInt8] = Bool.random() ? [5, 1, 0, 5, 1, 0] : []
            _ = run(
                head + (0..<Int.random(in: 1...40, using: &random)).map { _ in UInt8.random(in: 0...255) }, piece: 3)
        }
    }

    @Test func `the reply names our end of the connection`() throws {
        #expect(
            SOCKS5Dialogue.reply(.succeeded, bound: try SocketAddress(ipAddress: "192.0.2.1", port: 258))
                == ByteBuffer(bytes: [5, 0, 0, 1, 192, 0, 2, 1, 1, 2]))
        let six = SOCKS5Dialogue.reply(.succeeded, bound: try SocketAddress(ipAddress: "2001:db8::1", port: 1))
        #expect(six.readableBytes == 22)
        #expect(SOCKS5Dialogue.reply(.refused) == ByteBuffer(bytes: [5, 5, 0, 1, 0, 0, 0, 0, 0, 0]))
    }
}
