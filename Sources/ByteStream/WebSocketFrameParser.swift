package import NIOCore

/// Which end of a WebSocket we are. A client masks what it sends; each end refuses what the other may not send.
package enum WebSocketRole: Sendable {
    case client
    case server
}

/// What a stretch of a WebSocket byte stream meant.
package enum WebSocketEvent: Equatable, Sendable {
    /// Payload of a text or binary message, possibly a part of one: boundaries carry no meaning on a tunnel stream.
    case data(ByteBuffer)
    case ping(ByteBuffer)
    case pong
    /// The code is nil when the frame had none.
    case close(code: UInt16?)
}

/// Parses RFC 6455 frames as they come, without waiting for whole messages.
///
/// Data payload is passed on as soon as it is there; only control frames (at most 125 bytes) are gathered. Extensions
/// are not negotiated, so reserved bits are refused. Text is taken as bytes: the official connector drops text messages,
/// which loses data for clients that send it (tunnel-protocol section 9).
package struct WebSocketFrameParser {
    private let role: WebSocketRole
    private let maximumMessage: Int
    private var header = ByteBuffer()
    private var frame: Frame?
    private var control = ByteBuffer()
    private var messageBytes = 0
    private var insideMessage = false

    private struct Frame {
        var opcode: UInt8
        var final: Bool
        var remaining: Int
        var mask: WebSocketMask?
        var isControl: Bool { opcode >= 8 }
    }

    /// - Parameter maximumMessage: bytes a message may have, all its fragments together.
    package init(role: WebSocketRole, maximumMessage: Int = 16 << 20) {
        self.role = role
        self.maximumMessage = maximumMessage
    }

    /// Takes the next bytes of the stream; calls `event` for each thing found, in order. After an error the stream is
    /// beyond repair.
    package mutating func parse(
        _ bytes: ByteBuffer, event: (WebSocketEvent) -> Void
    ) throws(PipeError) {
        var bytes = bytes
        while true {
            if frame == nil {
                guard let parsed = try readHeader(&bytes) else { return }
                frame = try accept(parsed)
            }
            guard var current = frame else { return }
            let count = min(current.remaining, bytes.readableBytes)
            if count > 0, var payload = bytes.readSlice(length: count) {
                if var mask = current.mask {
                    payload = mask.applied(to: payload)
                    current.mask = mask
                }
                current.remaining -= count
                if current.isControl {
                    control.writeBuffer(&payload)
                } else {
                    event(.data(payload))
                }
            }
            guard current.remaining == 0 else {
                frame = current
                return
            }
            frame = nil
            if current.isControl {
                try finishControl(current.opcode, event: event)
            } else if current.final {
                insideMessage = false
                messageBytes = 0
            }
            if bytes.readableBytes == 0 { return }
        }
    }

    private mutating func readHeader(_ bytes: inout ByteBuffer) throws(PipeError) -> Frame? {
        // The header is gathered on the side: it may arrive a byte at a time.
        while true {
            if let parsed = try parseHeader() {
                header.clear()
                return parsed
            }
            guard let byte = bytes.readInteger(as: UInt8.self) else { return nil }
            header.writeInteger(byte)
        }
    }

    private func parseHeader() throws(PipeError) -> Frame? {
        var reader = header
        guard let first = reader.readInteger(as: UInt8.self), let second = reader.readInteger(as: UInt8.self) else {
            return nil
        }
        guard first & 0x70 == 0 else { throw .protocolViolation("reserved bits set in a WebSocket frame") }
        let masked = second & 0x80 != 0
        guard masked == (role == .server) else {
            throw .protocolViolation(masked ? "masked frame from a server" : "unmasked frame from a client")
        }
        var length = Int(second & 0x7F)
        if length == 126 {
            guard let extended = reader.readInteger(as: UInt16.self) else { return nil }
            length = Int(extended)
        } else if length == 127 {
            guard let extended = reader.readInteger(as: UInt64.self) else { return nil }
            guard extended <= UInt64(maximumMessage) else { throw .messageTooLarge(limit: maximumMessage) }
            length = Int(extended)
        }
        var mask: WebSocketMask?
        if masked {
            guard let key = reader.readInteger(as: UInt32.self) else { return nil }
            mask = WebSocketMask(key: key)
        }
        return Frame(opcode: first & 0x0F, final: first & 0x80 != 0, remaining: length, mask: mask)
    }

    private mutating func accept(_ frame: Frame) throws(PipeError) -> Frame {
        switch frame.opcode {
        case 0:
            guard insideMessage else { throw .protocolViolation("continuation frame without a message") }
        case 1, 2:
            guard !insideMessage else { throw .protocolViolation("new message inside a fragmented one") }
            insideMessage = true
        case 8, 9, 10:
            guard frame.final, frame.remaining <= 125 else {
                throw .protocolViolation("control frame fragmented or over 125 bytes")
            }
            control.clear()
            return frame
        default:
            throw .protocolViolation("WebSocket opcode \(frame.opcode)")
        }
        guard frame.remaining <= maximumMessage - messageBytes else { throw .messageTooLarge(limit: maximumMessage) }
        messageBytes += frame.remaining
        return frame
    }

    private mutating func finishControl(_ opcode: UInt8, event: (WebSocketEvent) -> Void) throws(PipeError) {
        let payload = control
        control.clear()
        switch opcode {
        case 9: event(.ping(payload))
        case 10: event(.pong)
        default:
            guard payload.readableBytes != 1 else { throw .protocolViolation("close frame with one byte") }
            event(.close(code: payload.getInteger(at: payload.readerIndex, as: UInt16.self)))
        }
    }
}

/// The XOR mask of RFC 6455 section 5.3, with its position in the payload.
struct WebSocketMask {
    private let key: UInt32
    private var offset = 0

    init(key: UInt32) {
        self.key = key
    }

    /// A masked or unmasked copy of the payload; the next call goes on where this one ended.
    mutating func applied(to payload: ByteBuffer) -> ByteBuffer {
        var result = ByteBufferAllocator().buffer(capacity: payload.readableBytes)
        append(payload, to: &result)
        return result
    }

    /// Appends the masked payload to `target`.
    mutating func append(_ payload: ByteBuffer, to target: inout ByteBuffer) {
        // Eight bytes at a time, with the key turned to where the last call stopped.
        let turn = UInt32(offset % 4) * 8
        let turned = turn == 0 ? key : key << turn | key >> (32 - turn)
        let wide = UInt64(turned) << 32 | UInt64(turned)
        let count = payload.readableBytes
        _ = payload.withUnsafeReadableBytes { source in
            target.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
                var index = 0
                let whole = count & ~7
                while index < whole {
                    let word = source.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    space.storeBytes(of: word ^ wide.bigEndian, toByteOffset: index, as: UInt64.self)
                    index += 8
                }
                while index < count {
                    let shift = 24 - UInt32(index % 4) * 8
                    space[index] = source[index] ^ UInt8(truncatingIfNeeded: turned >> shift)
                    index += 1
                }
                return count
            }
        }
        offset += count
    }
}

/// Builds RFC 6455 frames.
package struct WebSocketFrameEncoder {
    private let role: WebSocketRole

    package init(role: WebSocketRole) {
        self.role = role
    }

    package func binary(_ payload: ByteBuffer) -> ByteBuffer { frame(opcode: 2, payload) }
    package func ping() -> ByteBuffer { frame(opcode: 9, ByteBuffer()) }
    package func pong(_ payload: ByteBuffer) -> ByteBuffer { frame(opcode: 10, payload) }

    package func close(code: UInt16) -> ByteBuffer {
        frame(opcode: 8, ByteBuffer(integer: code))
    }

    private func frame(opcode: UInt8, _ payload: ByteBuffer) -> ByteBuffer {
        let count = payload.readableBytes
        var frame = ByteBufferAllocator().buffer(capacity: count + 14)
        frame.writeInteger(0x80 | opcode)
        let maskBit: UInt8 = role == .client ? 0x80 : 0
        if count < 126 {
            frame.writeInteger(maskBit | UInt8(count))
        } else if count <= Int(UInt16.max) {
            frame.writeInteger(maskBit | 126)
            frame.writeInteger(UInt16(count))
        } else {
            frame.writeInteger(maskBit | 127)
            frame.writeInteger(UInt64(count))
        }
        if role == .client {
            let key = UInt32.random(in: .min ... .max)
            frame.writeInteger(key)
            var mask = WebSocketMask(key: key)
            mask.append(payload, to: &frame)
        } else {
            frame.writeImmutableBuffer(payload)
        }
        return frame
    }
}
