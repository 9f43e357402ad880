import Fuzzing
import NIOCore
import TestKit
import Testing

@testable import ByteStream

@Suite struct SOCKS5HandshakeTests {
    private func run(_ handshake: SOCKS5Handshake, _ answers: [[UInt8]]) throws -> [[UInt8]] {
        var handshake = handshake
        var sent = [Array(handshake.greeting.readableBytesView)]
        var buffer = ByteBuffer()
        for byte in answers.joined() {
            buffer.writeInteger(byte)
            switch try handshake.received(&buffer) {
            case .send(let bytes): sent.append(Array(bytes.readableBytesView))
            case .succeed: sent.append([])
            case .none: break
            }
        }
        return sent
    }

    @Test func `SOCKS5 without a user asks for the name itself`() throws {
        let handshake = SOCKS5Handshake(host: "edge.test", port: 443, user: nil, password: nil)
        #expect(
            try run(handshake, [[5, 0], [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]]) == [
                [5, 1, 0], [5, 1, 0, 3, 9] + "edge.test".utf8 + [1, 187], [],
            ])
    }

    @Test func `SOCKS5 with a user logs in first, and names addresses in binary`() throws {
        let handshake = SOCKS5Handshake(host: "10.0.0.1", port: 8443, user: "u", password: "pw")
        #expect(
            try run(handshake, [[5, 2], [1, 0], [5, 0, 0, 3, 2, 65, 66, 0, 1]]) == [
                [5, 2, 0, 2], [1, 1, 117, 2, 112, 119], [5, 1, 0, 1, 10, 0, 0, 1, 32, 251], [],
            ])
        let six = SOCKS5Handshake(host: "::1", port: 1, user: nil, password: nil)
        #expect(try run(six, [[5, 0]])[1] == [5, 1, 0, 4] + [UInt8](repeating: 0, count: 15) + [1, 0, 1])
    }

    @Test(
        arguments: [
            [[72, 84]], [[5, 255]], [[5, 2]], [[5, 0], [5, 5, 0, 1]], [[5, 0], [4, 0, 0, 1]], [[5, 0], [5, 0, 0, 9]],
        ] as [[[UInt8]]])
    func `SOCKS5 refusals and garbage end the handshake`(answers: [[UInt8]]) {
        #expect(throws: SOCKS5Handshake.Refusal.self) {
            try run(SOCKS5Handshake(host: "h", port: 1, user: nil, password: nil), answers)
        }
    }

    @Test func `SOCKS5 has no room for a name over 255 bytes`() throws {
        let longest = SOCKS5Handshake(host: String(repeating: "x", count: 255), port: 1, user: nil, password: nil)
        #expect(try run(longest, [[5, 0]])[1].count == 5 + 255 + 2)
        let longer = SOCKS5Handshake(host: String(repeating: "x", count: 256), port: 1, user: nil, password: nil)
        #expect(throws: SOCKS5Handshake.Refusal.self) { try run(longer, [[5, 0]]) }
    }

    @Test func `random answers never trap`() {
        var generator = SeededGenerator(seed: 1928)
        for _ in 0..<2000 {
            var bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                UInt8.random(in: 0...6, using: &generator)
            }
            if bytes.count > 1 { bytes.replaceSubrange(0..<2, with: [5, 0]) }
            _ = try? run(SOCKS5Handshake(host: "h", port: 1, user: "u", password: nil), [bytes])
        }
    }
}
