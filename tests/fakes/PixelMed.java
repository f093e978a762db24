import com.pixelmed.validate.DicomSRValidator;

/** What PixelMed says of each file, in one process: its stylesheets, compiled anew in each, take most of the time. */
public class PixelMed {
    public static void main(String[] paths) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        for (String path : paths) {
            System.out.println("judged: " + path);
            System.out.println(validator.validate(path));
        }
    }
}
