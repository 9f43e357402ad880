import NIOCore

/// Knows where WebSocket frames end in bytes that pass, from their heads alone (RFC 6455 section 5.2). Bytes that are no
/// frames cannot harm it; it only finds their ends where there are none.
struct FrameTracker {
    /// Bytes of the head at hand that have passed; 0 in a payload and between frames.
    private var headBytes = 0
    private var headLength = 2
    private var payloadLeft: UInt64 = 0

    /// Whether another frame may be put in here.
    var isBetweenFrames: Bool { headBytes == 0 && payloadLeft == 0 }

    /// Lets all bytes pass.
    mutating func pass(_ bytes: ByteBuffer) {
        _ = advance(bytes, stopsBetweenFrames: false)
    }

    /// Lets bytes pass up to the end of the frame that they are in, and says how many that were.
    mutating func passToEndOfFrame(_ bytes: ByteBuffer) -> Int {
        advance(bytes, stopsBetweenFrames: true)
    }

    private mutating func advance(_ bytes: ByteBuffer, stopsBetweenFrames: Bool) -> Int {
        bytes.withUnsafeReadableBytes { bytes in
            var index = 0
            while index < bytes.count, !(stopsBetweenFrames && isBetweenFrames) {
                if payloadLeft > 0 {
                    let passed = min(UInt64(bytes.count - index), payloadLeft)
                    payloadLeft -= passed
                    index += Int(passed)
                } else {
                    passHead(bytes[index])
                    index += 1
                }
            }
            return index
        }
    }

    /// The length that the head gives, as far as it was seen.
    private var announced: UInt64 = 0
    private var lengthEnd = 2

    private mutating func passHead(_ byte: UInt8) {
        if headBytes == 1 {
            let short = byte & 0x7F
            lengthEnd = short == 126 ? 4 : short == 127 ? 10 : 2
            announced = lengthEnd == 2 ? UInt64(short) : 0
            headLength = lengthEnd + (byte & 0x80 == 0 ? 0 : 4)
        } else if headBytes >= 2, headBytes < lengthEnd {
            announced = announced << 8 | UInt64(byte)
        }
        headBytes += 1
        guard headBytes == headLength else { return }
        payloadLeft = announced
        headBytes = 0
        headLength = 2
    }
}
