import NIOCore
import Testing

@testable import Edge

/// Where frames end, by their heads alone.
struct FrameTrackerTests {
    private static func frame(_ length: Int, masked: Bool = false) -> [UInt8] {
        let mask: UInt8 = masked ? 0x80 : 0
        var bytes: [UInt8] = [0x82]
        switch length {
        case ..<126: bytes.append(mask | UInt8(length))
        case ..<65536: bytes += [mask | 126, UInt8(length >> 8), UInt8(length & 255)]
        default: bytes += [mask | 127] + (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * $0)) }
        }
        if masked { bytes += [1, 2, 3, 4] }
        return bytes + [UInt8](repeating: 0xFF, count: length)
    }

    @Test(arguments: [0, 1, 125, 126, 65535, 65536, 70000], [false, true])
    func `A frame ends with its last byte, however it is cut`(length: Int, masked: Bool) {
        let bytes = Self.frame(length, masked: masked)
        for step in [1, 2, 3, 7, 4096, bytes.count] {
            var tracker = FrameTracker()
            #expect(tracker.isBetweenFrames)
            for start in stride(from: 0, to: bytes.count, by: step) {
                let end = min(start + step, bytes.count)
                tracker.pass(ByteBuffer(bytes: bytes[start..<end]))
                #expect(tracker.isBetweenFrames == (end == bytes.count))
            }
        }
    }

    @Test
    func `The end of the frame at hand is found among what follows`() {
        var tracker = FrameTracker()
        let (first, second) = (Self.frame(300), Self.frame(5))
        tracker.pass(ByteBuffer(bytes: first.prefix(100)))
        #expect(tracker.passToEndOfFrame(ByteBuffer(bytes: first.dropFirst(100) + second)) == first.count - 100)
        #expect(tracker.isBetweenFrames)
        #expect(tracker.passToEndOfFrame(ByteBuffer(bytes: second)) == 0)
    }

    @Test
    func `Bytes that are no frames harm nothing`() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var tracker = FrameTracker()
            let bytes = (0..<500).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            #expect(tracker.passToEndOfFrame(ByteBuffer(bytes: [0x82, 0xFF] + bytes)) <= 502)
        }
        var endless = FrameTracker()
        endless.pass(ByteBuffer(bytes: [0x82, 127] + [UInt8](repeating: 0xFF, count: 1000)))
        #expect(!endless.isBetweenFrames)
    }
}
