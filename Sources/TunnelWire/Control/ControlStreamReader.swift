import CapnProto
import NIOCore

/// What both ends of a control stream do with its bytes: cut them into messages, and bound how often they answer what
/// should not have been asked.
struct ControlStreamReader: Sendable {
    private var decoder: MessageDecoder
    private var oddMessagesLeft: Int

    init(limits: ControlStreamLimits) {
        decoder = MessageDecoder(limits: FramingLimits(messageBytes: limits.messageBytesBeforeRegistration))
        oddMessagesLeft = limits.oddMessages
    }

    mutating func append(_ bytes: ByteBuffer) {
        decoder.append(bytes)
    }

    mutating func next() throws(CapnProtoError) -> Message? {
        try decoder.next()
    }

    /// The peer is known now and may send its configuration.
    mutating func acceptMessages(ofBytes bytes: Int) {
        decoder.limits.messageBytes = bytes
    }

    /// Counts a message that is out of place; false when there were too many.
    mutating func allowsOddMessage() -> Bool {
        guard oddMessagesLeft > 0 else { return false }
        oddMessagesLeft -= 1
        return true
    }
}
