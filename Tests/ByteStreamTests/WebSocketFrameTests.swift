import ByteStream
import NIOCore
import TestKit
import Testing

/// All events of a byte stream given in the pieces between the cuts; data is joined.
func parse(
    _ bytes: ByteBuffer, role: WebSocketRole, maximumMessage: Int = 1 << 20, cuts: [Int] = []
) throws -> [WebSocketEvent] {
    var parser = WebSocketFrameParser(role: role, maximumMessage: maximumMessage)
    var events: [WebSocketEvent] = []
    var rest = bytes
    var pieces: [ByteBuffer] = []
    var position = 0
    for cut in cuts {
        if let piece = rest.readSlice(length: cut - position) { pieces.append(piece) }
        position = cut
    }
    for piece in pieces + [rest] {
        try parser.parse(piece) { event in
            if case .data(let more) = event, case .data(var data)? = events.last {
                data.writeImmutableBuffer(more)
                events[events.count - 1] = .data(data)
            } else {
                events.append(event)
            }
        }
    }
    return events
}

@Suite struct WebSocketFrameTests {
    private func data(_ text: String) -> WebSocketEvent { .data(ByteBuffer(string: text)) }

    @Test func `the examples of RFC 6455 section 5_7 mean what it says`() throws {
        let masked = ByteBuffer(bytes: [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
        #expect(try parse(masked, role: .server) == [data("Hello")])
        let unmasked = ByteBuffer(bytes: [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        #expect(try parse(unmasked, role: .client) == [data("Hello")])
        let fragments = ByteBuffer(bytes: [0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F])
        #expect(try parse(fragments, role: .client) == [data("Hello")])
        let ping = ByteBuffer(bytes: [0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        #expect(try parse(ping, role: .client) == [.ping(ByteBuffer(string: "Hello"))])
    }

    @Test func `frames of every length form are read back by the other role`() throws {
        for count in [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, 200_000] {
            let payload = patternBytes(count)
            for (sender, receiver) in [(WebSocketRole.client, WebSocketRole.server), (.server, .client)] {
                let frame = WebSocketFrameEncoder(role: sender).binary(payload)
                let header = (count < 126 ? 2 : count <= 65_535 ? 4 : 10) + (sender == .client ? 4 : 0)
                #expect(frame.readableBytes == header + count)
                #expect(try parse(frame, role: receiver) == (count == 0 ? [] : [.data(payload)]))
            }
        }
    }

    @Test(arguments: [WebSocketRole.client, .server])
    func `a stream cut at any two places means the same`(receiver: WebSocketRole) throws {
        let encoder = WebSocketFrameEncoder(role: receiver == .server ? .client : .server)
        var stream = encoder.binary(patternBytes(19))
        stream.writeImmutableBuffer(encoder.ping())
        stream.writeImmutableBuffer(encoder.pong(ByteBuffer(string: "p")))
        stream.writeImmutableBuffer(encoder.binary(patternBytes(130, seed: 3)))
        stream.writeImmutableBuffer(encoder.close(code: 1001))
        let whole = try parse(stream, role: receiver)
        #expect(
            whole == [
                .data(patternBytes(19)), .ping(ByteBuffer()), .pong, .data(patternBytes(130, seed: 3)),
                .close(code: 1001),
            ])
        for first in 0...stream.readableBytes {
            for second in stride(from: first, through: stream.readableBytes, by: 7) {
                #expect(try parse(stream, role: receiver, cuts: [first, second]) == whole)
            }
        }
    }

    @Test func `control frames may stand between fragments`() throws {
        var stream = ByteBuffer(bytes: [0x02, 0x01, 0x61])
        stream.writeBytes([0x89, 0x00, 0x00, 0x00, 0x80, 0x01, 0x62, 0x88, 0x00])
        #expect(try parse(stream, role: .client) == [data("a"), .ping(ByteBuffer()), data("b"), .close(code: nil)])
    }

    @Test(
        arguments: [
            ([0xC2, 0x00], "reserved bits set in a WebSocket frame"),
            ([0x82, 0x80, 1, 2, 3, 4], "masked frame from a server"),
            ([0x80, 0x00], "continuation frame without a message"),
            ([0x02, 0x00, 0x82, 0x00], "new message inside a fragmented one"),
            ([0x09, 0x00], "control frame fragmented or over 125 bytes"),
            ([0x89, 0x7E, 0x00, 0x7E], "control frame fragmented or over 125 bytes"),
            ([0x83, 0x00], "WebSocket opcode 3"),
            ([0x8B, 0x00], "WebSocket opcode 11"),
            ([0x88, 0x01, 0x03], "close frame with one byte"),
        ] as [([UInt8], String)])
    func `a frame that breaks RFC 6455 is refused by name`(bytes: [UInt8], what: String) {
        #expect(throws: PipeError.protocolViolation(what)) { try parse(ByteBuffer(bytes: bytes), role: .client) }
    }

    @Test func `a server refuses unmasked frames`() {
        #expect(throws: PipeError.protocolViolation("unmasked frame from a client")) {
            try parse(ByteBuffer(bytes: [0x82, 0x00]), role: .server)
        }
    }

    @Test func `a message over the limit is refused by its header, whole or in fragments`() throws {
        let limit = PipeError.messageTooLarge(limit: 100)
        #expect(throws: limit) { try parse(ByteBuffer(bytes: [0x82, 0x65]), role: .client, maximumMessage: 100) }
        #expect(throws: limit) {
            try parse(
                ByteBuffer(bytes: [0x82, 0x7F] + [UInt8](repeating: 0xFF, count: 8)), role: .client, maximumMessage: 100
            )
        }
        var fragments = ByteBuffer(bytes: [0x02, 0x3C] + [UInt8](repeating: 1, count: 60))
        fragments.writeBytes([0x00, 0x29])
        #expect(throws: limit) { try parse(fragments, role: .client, maximumMessage: 100) }
        #expect(
            try parse(
                ByteBuffer(bytes: [0x82, 0x64] + [UInt8](repeating: 1, count: 100)), role: .client, maximumMessage: 100
            ).count == 1)
    }
}
